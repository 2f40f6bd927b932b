// A payload: in one line, in full, and against the one before. All of it is text of strangers, so
// it only ever becomes a text node.
import type { Payload } from "./data";
import { size, t } from "./text";

/** In one line. */
export function short(payload: Payload, most = 160): string {
  switch (payload.kind) {
    case "empty":
      return t.payload.empty;
    case "too_large":
      return t.payload.too_large(size(payload.size ?? 0));
    case "binary":
      return `${t.payload.binary(payload.type ?? "")} ${payload.base64 ?? ""}`.slice(0, most);
    default: {
      const line = (payload.text ?? "").slice(0, most * 2).replace(/\s+/g, " ");
      return line.length > most || payload.cut ? `${line.slice(0, most)}…` : line;
    }
  }
}

function pretty(payload: Payload): string {
  if (payload.kind !== "json" || payload.cut || payload.text === undefined) return payload.text ?? "";
  // Numbers keep the digits that were sent: only what is an object or a list is laid out anew.
  if (!/^\s*[[{]/.test(payload.text)) return payload.text;
  return JSON.stringify(JSON.parse(payload.text), null, 2);
}

/** In full. */
export function Full({ of }: { of: Payload }) {
  const plain = of.kind === "json" || of.kind === "text";
  return (
    <>
      <pre class="mq-payload" tabIndex={0}>
        {plain ? pretty(of) : of.kind === "binary" ? `${t.payload.binary(of.type ?? "")}\n${of.base64 ?? ""}` : short(of)}
      </pre>
      {of.cut && <p class="small soft">{t.payload.cut}</p>}
    </>
  );
}

type Leaves = Map<string, string>;

/** Every value of a payload by its path. */
function leaves(payload: Payload): Leaves {
  const out: Leaves = new Map();
  const walk = (value: unknown, path: string) => {
    if (out.size > 500) return;
    if (value !== null && typeof value === "object") {
      for (const [name, one] of Object.entries(value)) walk(one, path ? `${path}.${name}` : name);
    } else out.set(path, JSON.stringify(value) ?? "");
  };
  if (payload.kind === "json" && !payload.cut) walk(JSON.parse(payload.text ?? "null"), "");
  else out.set("", short(payload, 500));
  return out;
}

export interface Change {
  path: string;
  before: string | undefined;
  now: string | undefined;
}

/** What is different between two payloads, by path. */
export function changes(before: Payload, now: Payload): Change[] {
  const [old, fresh] = [leaves(before), leaves(now)];
  const paths = [...new Set([...fresh.keys(), ...old.keys()])];
  return paths
    .filter((path) => old.get(path) !== fresh.get(path))
    .map((path) => ({ path, before: old.get(path), now: fresh.get(path) }));
}
