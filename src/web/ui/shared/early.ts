// Runs before the first paint: takes the chosen theme, else the system's.
(() => {
  const chosen = (() => {
    try {
      return localStorage.getItem("hearth.theme");
    } catch {
      return null; // storage is blocked
    }
  })();
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = chosen ?? (dark ? "dark" : "light");
})();
