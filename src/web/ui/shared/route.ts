// Where the person is: `#/home/light.kitchen` is page `home` at `light.kitchen`.
import { computed, signal } from "@preact/signals";

function read(): string[] {
  return location.hash
    .replace(/^#\/?/, "")
    .split("/")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

// A second port of Hearth may begin at another page: its document says so.
const start = document.querySelector<HTMLMetaElement>('meta[name="hearth-start"]')?.content;
if (start && !location.hash) history.replaceState(null, "", `#/${encodeURIComponent(start)}`);

const parts = signal(read());
addEventListener("hashchange", () => (parts.value = read()));

/** Name of the page; empty for the overview. */
export const pageName = computed(() => parts.value[0] ?? "");
/** What follows the page's name; empty when nothing does. */
export const place = computed(() => parts.value[1] ?? "");

export function href(page: string, at = ""): string {
  return "#/" + page + (at ? "/" + encodeURIComponent(at) : "");
}

/** Changes the place within the page without a new step in the browser's history. */
export function settle(page: string, at = "") {
  history.replaceState(null, "", href(page, at));
  parts.value = read();
}
