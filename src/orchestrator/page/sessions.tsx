// Sessions of MCP servers: what runs, how far it is from the rest, how to end it.
import { signal } from "@preact/signals";
import { ago, Empty, Failed, Head, iso, Loading, tell, when } from "hearth/ui";
import { useEffect, useState } from "preact/hooks";
import { acquire, end, inside, type Inside, type Session, sessions } from "./data";
import { text } from "./text";

const busy = signal(false);

/** Does something that changes the list, and says how it went. */
async function act(what: () => Promise<string>) {
  busy.value = true;
  try {
    tell(await what());
  } catch (e) {
    tell(e instanceof Error ? e.message : String(e));
  }
  busy.value = false;
  await sessions.again();
}

function facts(session: Session): string {
  const parts = [session.image === "worker" ? (session.server ?? "worker") : session.image];
  if (session.level) parts.push(`${session.place} ${text.level(session.level)}`);
  parts.push(text.calls(session.receipt.calls));
  if (session.receipt.sandboxes > 1) parts.push(text.restarts(session.receipt.sandboxes));
  if (session.state === "ended") {
    const { cpu_seconds, peak_memory } = session.receipt;
    parts.push(text.used(cpu_seconds, Math.round(peak_memory / 1048576)));
    if (session.why) parts.push(session.why);
  } else parts.push(text.left(session.left));
  return parts.join(" · ");
}

function More({ id }: { id: string }) {
  const [known, setKnown] = useState<Inside | null>(null);
  const [why, setWhy] = useState<string | null>(null);
  useEffect(() => {
    const look = () =>
      inside(id).then(
        (found) => (setKnown(found), setWhy(null)),
        (e: unknown) => setWhy(e instanceof Error ? e.message : String(e)),
      );
    void look();
    const again = setInterval(() => void look(), 3000);
    return () => clearInterval(again);
  }, [id]);
  if (why) return <Failed why={why} />;
  if (!known) return <Loading rows={3} />;
  return (
    <div class="sb-more">
      <section>
        <h4>{text.limits}</h4>
        <table class="sb-limits">
          <thead>
            <tr>
              <th scope="col">{text.limit}</th>
              <th scope="col">{text.asked}</th>
              <th scope="col">{text.inForce}</th>
            </tr>
          </thead>
          <tbody>
            {known.limits.map((limit) => (
              <tr key={limit.name}>
                <th scope="row">{limit.name}</th>
                <td>{limit.asked}</td>
                <td class={limit.in_force === null ? "sb-off" : ""} title={limit.read_at}>
                  {limit.in_force ?? text.notInForce}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <section>
        <h4>{text.stderr}</h4>
        {known.dropped > 0 && <p class="sb-facts">{text.dropped(known.dropped)}</p>}
        {known.lines.length === 0 ? (
          <p class="sb-facts">{text.silent}</p>
        ) : (
          <pre class="sb-log" tabIndex={0}>
            {known.lines.join("\n")}
          </pre>
        )}
      </section>
    </div>
  );
}

const DOTS = { running: "up", stopped: "starting", elsewhere: "starting", ended: "down" } as const;

function Row({ session }: { session: Session }) {
  const [open, setOpen] = useState(false);
  const { id, state } = session;
  return (
    <li data-session={id} class={open ? "sb-open" : ""}>
      <span class={`dot ${DOTS[state]}`} aria-hidden="true" />
      <div class="grow">
        <h3>{id}</h3>
        <p class="sb-facts">{facts(session)}</p>
        {state === "running" && (
          <button type="button" class="button quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? text.less : text.more}
          </button>
        )}
        {open && state === "running" && <More id={id} />}
      </div>
      <span class="state-word">
        {state === "ended" ? (
          <time dateTime={iso(session.used)} title={when(session.used)}>
            {text.ended} {ago(session.used)}
          </time>
        ) : (
          state
        )}
      </span>
      {state !== "ended" && (
        <button
          type="button"
          class="button"
          disabled={busy.value}
          onClick={() => void act(async () => text.over((await end(id)).id))}
        >
          {text.end}
        </button>
      )}
    </li>
  );
}

export function Sessions() {
  useEffect(() => {
    void sessions.again();
    const again = setInterval(() => void sessions.again(), 3000);
    return () => clearInterval(again);
  }, []);
  const known = sessions.value.value?.sessions;
  return (
    <>
      <Head title={text.title} lead={text.lead}>
        <button
          type="button"
          class="button main-action"
          disabled={busy.value}
          onClick={() => void act(async () => text.begun((await acquire()).id))}
        >
          {text.start}
        </button>
      </Head>
      {sessions.error.value && (
        <Failed why={sessions.error.value} again={() => void sessions.again()} />
      )}
      {!known && !sessions.error.value && <Loading rows={3} />}
      <h2 class="sb-head">{text.sessions}</h2>
      {known?.length === 0 && (
        <Empty title={text.none}>
          <p>{text.noneWhy}</p>
        </Empty>
      )}
      {known && known.length > 0 && (
        <ul class="card rows">
          {known.map((session) => (
            <Row key={`${session.owner}/${session.id}`} session={session} />
          ))}
        </ul>
      )}
    </>
  );
}
