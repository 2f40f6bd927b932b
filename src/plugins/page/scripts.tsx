// The scripts of this house: which run, what they did last, what is wrong with them.
import { ago, clock, Empty, Failed, Head, iso, loader, Loading, when } from "hearth/ui";
import { useEffect } from "preact/hooks";

interface Script {
  name: string;
  file: string;
  state: "loading" | "running" | "failed";
  error: string | null;
  runs: number;
  failures: number;
  lost: number;
  last_error: string | null;
  /** Seconds since 1970. */
  last_run: number | null;
  handlers: number;
  timers: number;
  tools: string[];
}

const all = loader<{ folder: string; scripts: Script[] }>("api/plugins");

const count = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;

/** What it does and did, in one line. */
function facts(script: Script): string {
  const parts = [count(script.runs, "run", "runs")];
  if (script.failures) parts.push(`${script.failures} failed`);
  if (script.lost) parts.push(count(script.lost, "event missed", "events missed"));
  if (script.handlers) parts.push(count(script.handlers, "handler", "handlers"));
  if (script.timers) parts.push(count(script.timers, "timer", "timers"));
  return parts.join(" · ");
}

function Row({ script }: { script: Script }) {
  const dot = script.state === "running" ? "up" : script.state === "failed" ? "down" : "starting";
  const why = script.error ?? script.last_error;
  return (
    <li>
      <span class={`dot ${dot}`} aria-hidden="true" />
      <div class="grow">
        <h3>{script.name}</h3>
        {script.state !== "failed" && <p class="script-facts">{facts(script)}</p>}
        {why && <p class="script-why">{why}</p>}
        {script.tools.length > 0 && (
          <p class="script-tools">
            {script.tools.map((tool) => (
              <code key={tool}>{tool}</code>
            ))}
          </p>
        )}
      </div>
      <span class="state-word">
        {script.state === "running" && script.last_run ? (
          <time dateTime={iso(script.last_run)} title={when(script.last_run)}>
            {ago(script.last_run)}
          </time>
        ) : (
          script.state
        )}
      </span>
    </li>
  );
}

export function Scripts() {
  // A slow look is enough: who writes a script reloads or waits a moment.
  const tick = clock.value;
  useEffect(() => void all.again(), [tick]);
  const known = all.value.value;
  const lead = known && (
    <>
      Files ending in <code>.lua</code> in <code>{known.folder}</code>
    </>
  );
  return (
    <>
      <Head title="Scripts" lead={lead} />
      {all.error.value && <Failed why={all.error.value} again={() => void all.again()} />}
      {!known && !all.error.value && <Loading rows={3} />}
      {known?.scripts.length === 0 && (
        <Empty title="No scripts yet">
          <p>Make that folder and put a script there; it runs at once. Examples appear beside it.</p>
        </Empty>
      )}
      {known && known.scripts.length > 0 && (
        <ul class="card rows">
          {known.scripts.map((script) => (
            <Row key={script.name} script={script} />
          ))}
        </ul>
      )}
    </>
  );
}
