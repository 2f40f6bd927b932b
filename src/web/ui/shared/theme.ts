// Light or dark: the system's wish until the person chooses.
import { signal } from "@preact/signals";
import { keep, kept } from "./storage";

const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export type Theme = "light" | "dark";
export const theme = signal<Theme>(
  (document.documentElement.dataset.theme as Theme | undefined) ?? "light",
);

function show(next: Theme) {
  theme.value = next;
  document.documentElement.dataset.theme = next;
}

system.addEventListener("change", () => {
  if (!kept(KEY)) show(system.matches ? "dark" : "light");
});

export function flipTheme() {
  const next = theme.value === "dark" ? "light" : "dark";
  show(next);
  const same = next === (system.matches ? "dark" : "light");
  keep(KEY, same ? null : next);
}
