// What was done, by whom, and what Hearth writes about itself.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { on, onGap } from "../shared/live";
import { loader } from "../shared/load";
import { Chips, Empty, Failed, Head, Loading, Search } from "../shared/parts";
import { href, place, settle } from "../shared/route";
import { text } from "../shared/text";
import { ago, hms, iso, when } from "../shared/time";

const t = text.activity;

interface Entry {
  at: number;
  who: string;
  via: string;
  action: string;
  target: string;
  outcome: string;
  reason: string | null;
  ms: number | null;
}
interface Line {
  at: number;
  level: string;
  target: string;
  text: string;
}

const audit = loader<Entry[]>("api/web/audit");
const log = loader<Line[]>("api/web/logs");
/** The log has no events of its own (it would report itself); it is asked for this often. */
const EVERY = 4_000;

function Audit() {
  useEffect(() => {
    void audit.again();
    const ends = [on("audit", () => void audit.again()), onGap(() => void audit.again())];
    return () => ends.forEach((end) => end());
  }, []);
  const entries = audit.value.value;
  if (!entries) {
    const why = audit.error.value;
    return why ? <Failed why={why} again={() => void audit.again()} /> : <Loading rows={8} />;
  }
  if (!entries.length) return <Empty title={t.auditNone}>{t.auditNoneBody}</Empty>;
  return (
    <ul class="card rows" aria-label={t.audit}>
      {[...entries].reverse().map((e, i) => (
        <li class="entry" key={entries.length - i}>
          <time class="at small soft num" dateTime={iso(e.at)} title={when(e.at)}>
            {ago(e.at)}
          </time>
          <div class="grow">
            <p>
              <span class="action">{e.action}</span> {e.target && <code>{e.target}</code>}
            </p>
            <p class="small soft">
              {t.by(e.who, e.via)}
              {e.ms !== null && ` · ${t.took(e.ms)}`}
            </p>
            {e.reason && <p class="small">{e.reason}</p>}
          </div>
          <span class={`tag ${e.outcome}`}>{t.outcome[e.outcome] ?? e.outcome}</span>
        </li>
      ))}
    </ul>
  );
}

const loud: Record<string, string[]> = {
  all: [],
  warn: ["warn", "error"],
  error: ["error"],
};

function Log() {
  const search = useSignal("");
  const level = useSignal("all");
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    void log.again();
    const timer = setInterval(() => document.hidden || void log.again(), EVERY);
    return () => clearInterval(timer);
  }, []);
  const all = log.value.value;
  useEffect(() => {
    const el = box.current;
    if (el && atEnd.current) el.scrollTop = el.scrollHeight;
  }, [all]);
  if (!all) {
    const why = log.error.value;
    return why ? <Failed why={why} again={() => void log.again()} /> : <Loading rows={8} />;
  }
  if (!all.length) return <Empty title={t.logNone}>{t.logNoneBody}</Empty>;
  const levels = loud[level.value] ?? [];
  const words = search.value.toLowerCase();
  const shown = all.filter(
    (l) =>
      (!levels.length || levels.includes(l.level)) &&
      (l.text.toLowerCase().includes(words) || l.target.toLowerCase().includes(words)),
  );
  return (
    <>
      <Search label={t.search} value={search.value} type={(v) => (search.value = v)} />
      <Chips
        label={t.level}
        all={Object.keys(loud).map((key) => ({ key, name: t.levels[key] ?? key }))}
        chosen={level.value}
        choose={(key) => (level.value = key)}
      />
      {shown.length === 0 ? (
        <Empty title={t.noMatch}>{t.noMatchBody}</Empty>
      ) : (
        <div
          class="card log"
          ref={box}
          tabIndex={0}
          role="region"
          aria-label={t.log}
          onScroll={(e) => {
            const el = e.currentTarget;
            atEnd.current = el.scrollHeight - el.scrollTop - el.clientHeight < 24;
          }}
        >
          <ul>
            {shown.map((l, i) => (
              <li key={i} class={l.level}>
                <time dateTime={iso(l.at)}>{hms(l.at)}</time>
                <span class="level">{l.level}</span>
                <span class="text">
                  <span class="soft">{l.target}</span> {l.text}
                </span>
              </li>
            ))}
          </ul>
        </div>
      )}
      <p class="small soft">{t.follow}</p>
    </>
  );
}

export function Activity() {
  const view = place.value === "log" ? "log" : "audit";
  return (
    <>
      <Head title={t.title} lead={t.lead}>
        <a class="button" href={href("approvals")}>
          {text.approvals.open}
        </a>
      </Head>
      <Chips
        label={t.views}
        all={[
          { key: "audit", name: t.audit },
          { key: "log", name: t.log },
        ]}
        chosen={view}
        choose={(key) => settle("activity", key === "log" ? "log" : "")}
      />
      <div class="section">{view === "log" ? <Log /> : <Audit />}</div>
    </>
  );
}
