// Reads a text/event-stream body. Knows the format, no names of events.
export interface Event {
  id: string;
  name: string;
  data: string;
}

/** An unfinished event longer than this ends the stream: nothing of ours is that long. */
const LONGEST = 1 << 20;

/** Yields each event, and `null` for each chunk without one (comments keep a link alive). */
export async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<Event | null> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const parts = rest.split("\n\n");
      rest = parts.pop() ?? "";
      if (rest.length > LONGEST) return;
      if (!parts.length) yield null;
      for (const part of parts) yield parse(part);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Between the end of a stream and the next try. */
const PAUSE = 1_500;

/** Runs a reader of streams again and again until it is told to stop; `ended` is told why each run ended, if it failed. */
export function persist(
  run: (signal: AbortSignal) => Promise<void>,
  ended: (why: string | null) => void,
): () => void {
  const stop = new AbortController();
  async function keep() {
    while (!stop.signal.aborted) {
      try {
        await run(stop.signal);
        ended(null);
      } catch (e) {
        if (stop.signal.aborted) return;
        ended(e instanceof Error ? e.message : String(e));
      }
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }
  void keep();
  return () => stop.abort();
}

/** Opens a stream of events. */
export async function open(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const answer = await fetch(path, {
    headers: { accept: "text/event-stream" },
    signal,
    cache: "no-store",
  });
  if (!answer.ok || !answer.body) throw new Error(`status ${answer.status}`);
  return answer.body;
}

function parse(part: string): Event | null {
  const event: Event = { id: "", name: "message", data: "" };
  let found = false;
  for (const line of part.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    const field = line.slice(0, colon);
    if (field === "id") event.id = value;
    else if (field === "event") event.name = value;
    else if (field === "data") {
      event.data += (found ? "\n" : "") + value;
      found = true;
    }
  }
  return found ? event : null;
}
