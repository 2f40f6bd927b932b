// The services' pages: the server says which are switched on, the bundle holds their code.
import { computed, signal, type Signal } from "@preact/signals";
import { found } from "hearth:pages";
import type { Page } from "../shared/page";
import { known } from "./state";

export const pages = computed(() =>
  (known.value?.pages ?? []).flatMap((page) => {
    const code = found[page.name];
    return code ? [{ ...page, icon: code.icon }] : [];
  }),
);

interface Opened {
  module: Signal<Page | null>;
  error: Signal<string | null>;
  again: () => void;
}

const opened = new Map<string, Opened>();

/** Loads a page's code on first use. */
export function openPage(name: string): Opened {
  const before = opened.get(name);
  if (before) return before;
  const one: Opened = { module: signal(null), error: signal(null), again: load };
  opened.set(name, one);
  function load() {
    one.error.value = null;
    found[name]?.load().then(
      (m) => (one.module.value = m.default),
      (e: unknown) => (one.error.value = String(e)),
    );
  }
  load();
  return one;
}
