// What was changed in the house through Hearth, each with the way back.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ago, Dialog, get, iso, loader, on, onGap, post, Refusal, tell, when } from "hearth/ui";
import { t } from "./text";

interface Change {
  id: string;
  at: string;
  who: string;
  action: string;
  kind?: string;
  service?: string;
  object?: string;
  name?: string;
  to?: string;
  new_name?: string;
  entities?: string[];
  and_more?: boolean;
  outcome?: string;
  undoes?: string;
  undone_by?: string;
}
interface Page {
  changes: Change[];
  next?: string;
}

/** So many are shown at first. */
const FEW = 6;
const all = signal(false);
const undoing = signal<string | null>(null);
/** What must be agreed to before it is undone. */
const question = signal<{ change: Change; confirm: string; why: string } | null>(null);

const changes = loader<Page>(() => get<Page>("api/home/changes"));

const renamed = (c: Change) => (c.to || c.new_name ? ` → ${[c.to, c.new_name].filter(Boolean).join(", ")}` : "");
const what = (c: Change) =>
  c.kind
    ? `${c.kind} ${c.name || c.object || ""}`.trim() + renamed(c)
    : `${c.service} · ${(c.entities ?? []).join(", ")}${c.and_more ? ", …" : ""}`;

async function undo(change: Change, confirm?: string) {
  undoing.value = change.id;
  try {
    await post(`api/home/changes/${change.id}/undo`, confirm ? { confirm } : {});
  } catch (e) {
    const token = e instanceof Refusal && e.status === 409 ? /confirm="([^"]+)"/.exec(e.message) : null;
    const why = (e as Error).message.split(" needs a confirmation", 1)[0] ?? "";
    if (token?.[1]) question.value = { change, confirm: token[1], why };
    else tell((e as Error).message);
  } finally {
    undoing.value = null;
    void changes.again();
  }
}

function Question() {
  const asked = question.value;
  if (!asked) return null;
  const close = () => (question.value = null);
  return (
    <Dialog class="ask" label={t.ask.title} close={close}>
      <h2>{t.ask.title}</h2>
      <p>{t.changes.ask(what(asked.change))}</p>
      <p class="small soft">{asked.why}</p>
      <div class="actions">
        <button
          class="button main-action"
          type="button"
          onClick={() => {
            close();
            void undo(asked.change, asked.confirm);
          }}
        >
          {t.ask.yes}
        </button>
        <button class="button" type="button" onClick={close}>
          {t.ask.no}
        </button>
      </div>
    </Dialog>
  );
}

function Row(props: { of: Change }) {
  const c = props.of;
  const at = Date.parse(c.at) / 1000;
  const failed = c.outcome?.startsWith("failed");
  const said = c.undone_by ? t.changes.undone : failed ? t.changes.failed : c.outcome ? t.changes.open : "";
  return (
    <li class="entry">
      <time class="at small soft num" dateTime={iso(at)} title={when(at)}>
        {ago(at)}
      </time>
      <div class="grow">
        <p>
          {c.undoes && `${t.changes.undone}: `}
          <span class="action">{t.changes.said[c.action] ?? c.action}</span> {what(c)}
        </p>
        <p class="small soft">
          {t.changes.by(c.who)}
          {said && ` · ${said}`}
        </p>
      </div>
      {!c.undone_by && !failed && (
        <button
          class="button quiet"
          type="button"
          disabled={undoing.value !== null}
          aria-label={t.changes.ask(what(c))}
          onClick={() => void undo(c)}
        >
          {undoing.value === c.id ? t.changes.undoing : t.changes.undo}
        </button>
      )}
    </li>
  );
}

export function Changes() {
  useEffect(() => {
    void changes.again();
    const ends = [on("audit", () => void changes.again()), onGap(() => void changes.again())];
    return () => ends.forEach((end) => end());
  }, []);
  // Without the list the rest of the page is as useful as ever.
  const list = changes.value.value?.changes ?? [];
  if (!list.length) return null;
  const shown = all.value ? list : list.slice(0, FEW);
  return (
    <section class="section changes" aria-labelledby="changes">
      <div class="section-head">
        <h2 id="changes">{t.changes.title}</h2>
      </div>
      <p class="small soft">{t.changes.body}</p>
      <ul class="card rows" aria-label={t.changes.title}>
        {shown.map((c) => (
          <Row key={c.id} of={c} />
        ))}
      </ul>
      {shown.length < list.length && (
        <button class="button quiet more" type="button" onClick={() => (all.value = true)}>
          {t.changes.more}
        </button>
      )}
      <Question />
    </section>
  );
}
