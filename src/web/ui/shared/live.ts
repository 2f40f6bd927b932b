// The live link: one stream of events for the whole page, read with fetch so that the page sees
// why it ends and can ask for what it missed. Pages subscribe by event name.
import { signal } from "@preact/signals";
import { leave } from "./api";
import { lines } from "./sse";

export type Link = "connecting" | "live" | "lost";
/** How the link does; `lost` once a few tries in a row failed. */
export const link = signal<Link>("connecting");

type Take = (data: never) => void;
const takers = new Map<string, Set<Take>>();
const catchers = new Set<() => void>();

/** Calls `take` for each event of this name; returns how to stop. */
export function on<T>(name: string, take: (data: T) => void): () => void {
  const set = takers.get(name) ?? new Set();
  takers.set(name, set);
  set.add(take as Take);
  return () => void set.delete(take as Take);
}

/** Calls `fetchAgain` whenever events may have been missed for good. */
export function onGap(fetchAgain: () => void): () => void {
  catchers.add(fetchAgain);
  return () => void catchers.delete(fetchAgain);
}

/** The server sends something at least every 15 s; silence of this length is a dead link. */
const SILENCE = 40_000;
/** A hidden page gives its connection back after this time. */
const HIDDEN = 30_000;
const PAUSES = [300, 1_000, 2_000, 5_000, 10_000];

let last = "";
let failures = 0;
let stop: AbortController | null = null;
let wake: (() => void) | null = null;

function give(name: string, data: string) {
  if (name === "lost") {
    catchers.forEach((c) => c());
    return;
  }
  const set = takers.get(name);
  if (!set?.size) return;
  const parsed = JSON.parse(data) as never;
  set.forEach((take) => take(parsed));
}

async function once(controller: AbortController) {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (last) headers["last-event-id"] = last;
  const answer = await fetch("events", { headers, signal: controller.signal, cache: "no-store" });
  if (answer.status === 401) return leave();
  if (!answer.ok || !answer.body) throw new Error(`status ${answer.status}`);
  const again = failures > 0 || last !== "";
  failures = 0;
  link.value = "live";
  // A first connection has nothing to catch up with: what is shown was just fetched.
  if (again) catchers.forEach((c) => c());
  let quiet = setTimeout(() => controller.abort(), SILENCE);
  try {
    for await (const event of lines(answer.body)) {
      clearTimeout(quiet);
      quiet = setTimeout(() => controller.abort(), SILENCE);
      if (!event) continue;
      if (event.id) last = event.id;
      give(event.name, event.data);
    }
  } finally {
    clearTimeout(quiet);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    wake = () => {
      clearTimeout(timer);
      done();
    };
  });
}

function shown(): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((done) =>
    document.addEventListener("visibilitychange", () => done(), { once: true }),
  );
}

/** Opens the link and keeps it for as long as the page lives. */
export async function keepLink() {
  let hidden: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(() => stop?.abort(), HIDDEN);
    else wake?.();
  });
  addEventListener("online", () => wake?.());
  for (;;) {
    await shown();
    stop = new AbortController();
    try {
      await once(stop);
    } catch {
      // the reason does not matter: the page shows that it tries again
    }
    link.value = failures < 4 ? "connecting" : "lost";
    await pause(PAUSES[Math.min(failures, PAUSES.length - 1)] ?? 10_000);
    failures += 1;
  }
}
