// What the page knows of the broker: status, the chosen session, and the stream of messages.
import { computed, signal } from "@preact/signals";
import { get, lines, loader, open, persist } from "hearth/ui";
import { useEffect } from "preact/hooks";

export interface Payload {
  kind: "json" | "text" | "binary" | "empty" | "too_large";
  text?: string;
  base64?: string;
  type?: string;
  size?: number;
  cut?: boolean;
}

export interface Message {
  number: number;
  /** Seconds since 1970. */
  at: number;
  topic: string;
  /** The topic percent-encoded, when `topic` does not show it as it is. */
  id?: string;
  size: number;
  qos: number;
  retained: boolean;
  payload: Payload;
}

export interface Session {
  id: string;
  broker: string;
  version: string;
  state: "connecting" | "connected" | "away";
  why: string | null;
  messages: number;
  bytes: number;
  too_large: number;
  unindexed: number;
  dropped: number;
  topics: number;
  kept: number;
  messages_per_second: number;
  bytes_per_second: number;
}

export interface Status {
  configured: boolean;
  sessions: Session[];
  publish: { level: boolean; read_only: boolean; retained: boolean; control_topics: boolean; per_minute: number };
}

export const status = loader<Status>("api/mqtt/status");
/** The session that is looked at; empty for the home's broker. */
export const chosen = signal("");
export const session = computed<Session | null>(() => {
  const all = status.value.value?.sessions ?? [];
  return all.find((one) => one.id === chosen.value) ?? all[0] ?? null;
});

/** An address below /api/mqtt with what is asked; nothing of it is encoded yet. */
export function address(path: string, asked: Record<string, string | number | undefined> = {}): string {
  const query = new URLSearchParams();
  if (chosen.value) query.set("session", chosen.value);
  for (const [name, value] of Object.entries(asked)) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return `api/mqtt/${path}${text ? `?${text}` : ""}`;
}

/** The topic of a message as the broker knows it. */
export const topicOf = (row: { topic: string; id?: string }) =>
  row.id === undefined ? row.topic : decodeURIComponent(row.id);

/** How often what is on screen is fetched again. */
const BEAT = 2_000;

/** Calls `look` now and every two seconds for as long as the page is seen. */
export function useBeat(look: () => void, again: unknown[]) {
  useEffect(() => {
    look();
    const timer = setInterval(() => document.hidden || look(), BEAT);
    return () => clearInterval(timer);
  }, again);
}

interface Gathered {
  messages: Message[];
  skipped: number;
}

interface Taker {
  take: (messages: Message[], skipped: number) => void;
  lost: (count: number | null) => void;
  failed: (why: string | null) => void;
}

/** Gives the newest messages of a filter and then each as it arrives; returns how to stop. */
export function follow(filter: string, taker: Taker): () => void {
  async function run(signal: AbortSignal) {
    const first = await get<{ messages: Message[]; place: string }>(
      address("messages", { filter, limit: 100 }),
      signal,
    );
    taker.take(first.messages.reverse(), 0);
    let place = first.place;
    for (;;) {
      const body = await open(address("stream", { filter, after: place }), signal);
      taker.failed(null);
      for await (const event of lines(body)) {
        if (!event) continue;
        if (event.id) place = event.id;
        if (event.name === "lost") taker.lost((JSON.parse(event.data) as { lost: number | null }).lost);
        if (event.name !== "messages") continue;
        const { messages, skipped } = JSON.parse(event.data) as Gathered;
        taker.take(messages, skipped);
      }
    }
  }
  return persist(run, taker.failed);
}
