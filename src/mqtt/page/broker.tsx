// The session: how the broker does, what was lost, and what each second brought.
import { useSignal } from "@preact/signals";
import { ago, get } from "hearth/ui";
import { address, chosen, session, useBeat } from "./data";
import { Plot, type Point } from "./plot";
import { size, t } from "./text";

interface Series {
  at: number[];
  messages: number[];
  bytes: number[];
}

interface Recording {
  name: string;
  state: string;
  bytes: number;
  messages?: number;
  lost?: number;
  changed: number;
}

function Charts() {
  const known = useSignal<Series | null>(null);
  useBeat(() => {
    // A failure shows in the page's own state; the line just stays.
    get<Series>(address("series", { seconds: 300 })).then((got) => (known.value = got), () => undefined);
  }, [chosen.value]);
  const series = known.value;
  if (!series) return null;
  const points = (values: number[]): Point[] => values.map((value, n) => [series.at[n] ?? 0, value]);
  return (
    <div class="mq-charts">
      <div class="card pad section">
        <h2>{t.broker.rate}</h2>
        <Plot label={t.broker.rate} points={points(series.messages)} zero />
      </div>
      <div class="card pad section">
        <h2>{t.broker.bytes}</h2>
        <Plot label={t.broker.bytes} points={points(series.bytes)} zero />
      </div>
    </div>
  );
}

function Recordings() {
  const known = useSignal<Recording[] | null>(null);
  useBeat(() => {
    get<{ recordings: Recording[] }>("api/mqtt/recordings").then(
      (got) => (known.value = got.recordings),
      () => undefined,
    );
  }, []);
  if (!known.value) return null;
  return (
    <section class="section" aria-label={t.broker.recordings}>
      <h2>{t.broker.recordings}</h2>
      {known.value.length === 0 && <p class="soft">{t.broker.noRecordings}</p>}
      {known.value.length > 0 && (
        <ul class="card rows">
          {known.value.map((one) => (
            <li key={one.name}>
              <span class={`dot ${one.state === "whole" ? "up" : one.state === "running" ? "starting" : "down"}`} aria-hidden="true" />
              <div class="grow">
                <h3>{one.name}</h3>
                <p class="small soft num">
                  {one.messages ?? "–"} · {size(one.bytes)} · {ago(one.changed)}
                </p>
              </div>
              <span class="state-word">{one.state}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function Broker() {
  const one = session.value;
  if (!one) return null;
  const f = t.broker.facts;
  const rows: [string, string | number][] = [
    [f.broker, one.broker],
    [f.version, `MQTT ${one.version}`],
    [f.state, t.broker.state[one.state] ?? one.state],
    [f.topics, one.topics],
    [f.messages, one.messages],
    [f.bytes, size(one.bytes)],
    [f.kept, one.kept],
    [f.dropped, one.dropped],
  ];
  // Losses are named when there are any; none is the usual.
  if (one.too_large) rows.push([f.too_large, one.too_large]);
  if (one.unindexed) rows.push([f.unindexed, one.unindexed]);
  return (
    <>
      <dl class="card pad mq-facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="num">{value}</dd>
          </div>
        ))}
      </dl>
      <Charts />
      <Recordings />
    </>
  );
}
