// Something fetched: its value, whether it is on its way, and why it failed.
import { signal, type ReadonlySignal } from "@preact/signals";
import { get } from "./api";

export interface Loaded<T> {
  value: ReadonlySignal<T | null>;
  /** Why the last try failed; the value before it stays. */
  error: ReadonlySignal<string | null>;
  /** Fetches again. Calls that overlap share one request. */
  again: () => Promise<void>;
}

/** Makes a loader of an address, or of what a function fetches. Nothing is fetched yet. */
export function loader<T>(
  source: string | (() => Promise<T>),
  then?: (value: T) => void,
): Loaded<T> {
  const value = signal<T | null>(null);
  const error = signal<string | null>(null);
  let running: Promise<void> | null = null;
  let behind = false;
  async function fetchOnce() {
    try {
      const got = await (typeof source === "string" ? get<T>(source) : source());
      value.value = got;
      error.value = null;
      then?.(got);
    } catch (e) {
      error.value = e instanceof Error ? e.message : String(e);
    }
  }
  async function run() {
    do {
      behind = false;
      await fetchOnce();
    } while (behind);
    running = null;
  }
  return {
    value,
    error,
    again: () => {
      // What was asked for during a request may be newer than its answer: fetch once more.
      if (running) behind = true;
      else running = run();
      return running;
    },
  };
}
