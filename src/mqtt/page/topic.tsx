// One topic in full: the newest message, what changed, numbers over time, what came before.
import { useSignal } from "@preact/signals";
import { ago, Dialog, Failed, get, hms, href, Icon, iso, Loading, shared, when } from "hearth/ui";
import { address, useBeat, type Message, type Payload } from "./data";
import { changes, Full, short } from "./payload";
import { Plot, type Point } from "./plot";
import { size, t } from "./text";

interface Topic {
  topic: string;
  count: number;
  bytes: number;
  first: number;
  last: number;
  qos: number;
  retained: boolean;
  size: number;
  payload: Payload;
  fields: string[];
  messages: Message[];
  /** Messages that are no longer kept; null when that is not known. */
  gone: number | null;
  points?: Point[];
}

/** The last name of a JSON pointer. */
const named = (field: string) =>
  field === "" ? t.topic.whole : field.slice(1).replace(/~1/g, "/").replace(/~0/g, "~").replace(/\//g, ".");

function Facts({ of }: { of: Topic }) {
  const time = (at: number) => (
    <time dateTime={iso(at)} title={when(at)}>
      {ago(at)}
    </time>
  );
  const f = t.topic.facts;
  return (
    <dl class="mq-facts">
      <div><dt>{f.count}</dt><dd class="num">{of.count}</dd></div>
      <div><dt>{f.last}</dt><dd>{time(of.last)}</dd></div>
      <div><dt>{f.first}</dt><dd>{time(of.first)}</dd></div>
      <div><dt>{f.size}</dt><dd class="num">{size(of.size)}</dd></div>
      <div><dt>{f.qos}</dt><dd class="num">{of.qos}</dd></div>
      <div><dt>{f.retained}</dt><dd>{of.retained ? t.topic.yes : t.topic.no}</dd></div>
      {of.gone ? <div><dt>{f.gone}</dt><dd class="num">{of.gone}</dd></div> : null}
    </dl>
  );
}

function Changed({ of }: { of: Topic }) {
  const [now, before] = of.messages;
  if (!now || !before) return null;
  const all = changes(before.payload, now.payload);
  return (
    <section class="section" aria-label={t.topic.changed}>
      <h3>{t.topic.changed}</h3>
      {all.length === 0 && <p class="small soft">{t.topic.same}</p>}
      <ul class="mq-changes">
        {all.slice(0, 50).map((change) => (
          <li key={change.path}>
            {change.path && <span class="small soft">{change.path}</span>}
            {change.before !== undefined && (
              <del>
                <span class="unseen">{t.topic.before}: </span>
                {change.before}
              </del>
            )}
            {change.now !== undefined && (
              <ins>
                <span class="unseen">{t.topic.now}: </span>
                {change.now}
              </ins>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Detail(props: { of: string; close: () => void }) {
  const known = useSignal<Topic | null>(null);
  const error = useSignal<string | null>(null);
  const field = useSignal<string | null>(null);
  useBeat(() => {
    get<Topic>(address("topic", { topic: props.of, field: field.value ?? undefined })).then(
      (got) => {
        known.value = got;
        error.value = null;
        field.value ??= got.fields[0] ?? null;
      },
      (e: Error) => (error.value = e.message),
    );
  }, [props.of, field.value]);
  const topic = known.value;
  return (
    <Dialog label={topic?.topic ?? t.topic.gone} close={props.close}>
      <div class="mq-detail">
        <div class="mq-detail-head">
          <h2 class="grow">{topic?.topic ?? props.of.slice(0, 200)}</h2>
          <button class="icon-button" type="button" aria-label={shared.close} onClick={props.close}>
            <Icon name="close" />
          </button>
        </div>
        {error.value && <Failed title={t.topic.gone} why={error.value} />}
        {!topic && !error.value && <Loading rows={5} />}
        {topic && (
          <>
            <section class="section" aria-label={t.topic.payload}>
              <h3>{t.topic.payload}</h3>
              <Full of={topic.payload} />
            </section>
            <Changed of={topic} />
            {topic.fields.length > 0 && (
              <section class="section" aria-label={t.topic.plot}>
                <div class="section-head">
                  <h3>{t.topic.plot}</h3>
                  <select
                    class="field mq-select"
                    aria-label={t.topic.field}
                    value={field.value ?? ""}
                    onChange={(e) => (field.value = e.currentTarget.value)}
                  >
                    {topic.fields.map((one) => (
                      <option key={one} value={one}>
                        {named(one)}
                      </option>
                    ))}
                  </select>
                </div>
                {topic.points && topic.points.length > 1 ? (
                  <Plot label={named(field.value ?? "")} points={topic.points} />
                ) : (
                  <p class="small soft">{t.topic.noPoints}</p>
                )}
              </section>
            )}
            <Facts of={topic} />
            {topic.messages.length > 1 && (
              <section class="section" aria-label={t.topic.past}>
                <h3>{t.topic.past}</h3>
                <ul class="mq-past">
                  {topic.messages.slice(1, 40).map((m) => (
                    <li key={m.number}>
                      <time class="num small soft" dateTime={iso(m.at)} title={when(m.at)}>
                        {hms(m.at)}
                      </time>
                      <span class="mono">{short(m.payload, 300)}</span>
                    </li>
                  ))}
                </ul>
              </section>
            )}
            <a class="button" href={href("mqtt", `publish=${props.of}`)}>
              {t.topic.answer}
            </a>
          </>
        )}
      </div>
    </Dialog>
  );
}
