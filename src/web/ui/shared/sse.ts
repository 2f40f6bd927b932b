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
