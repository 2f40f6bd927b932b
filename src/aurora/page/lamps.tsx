// The lamps: what each is sent, how early, and the test by which a person measures that.
import { Dialog, post, tell } from "hearth/ui";
import { useEffect, useRef, useState } from "preact/hooks";
import { status, type Lamp } from "./data";
import { Found } from "./found";
import { t } from "./text";

export function Lamps(props: { lamps: Lamp[] }) {
  const [measured, measure] = useState<Lamp | null>(null);
  const [why, explain] = useState<string[]>([]);
  const ask = async () => {
    try {
      const { findings, hint } = await post<{ findings: string[]; hint?: string }>("api/aurora/diagnose", {});
      explain(findings.length ? findings : [hint ?? ""]);
    } catch (e) {
      tell(e instanceof Error ? e.message : String(e));
    }
  };
  return (
    <section class="section" aria-label={t.lamps}>
      <div class="section-head">
        <h2>{t.lamps}</h2>
        <div class="au-go">
          <Found known={props.lamps} />
          <button type="button" class="button quiet" onClick={() => void ask()}>
            {t.why}
          </button>
        </div>
      </div>
      {why.length > 0 && (
        <ul class="card pad au-why" role="status">
          {why.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      {props.lamps.length > 0 && (
        <ul class="card rows">
          {props.lamps.map((lamp) => (
            <li key={lamp.name}>
              <span class={`dot ${lamp.state === "ok" ? "up" : lamp.state === "idle" ? "" : "degraded"}`} />
              <div class="grow">
                <h3>{lamp.name}</h3>
                <p class="small soft">
                  {lamp.kind} · {lamp.address}
                  {lamp.state !== "ok" && lamp.state !== "idle" && ` · ${lamp.state}`}
                </p>
                <p class="small soft num">
                  {t.latency(lamp.latency_ms, lamp.latency_source)} · {t.sent(lamp.sent, lamp.dropped)}
                </p>
              </div>
              <button type="button" class="button quiet" onClick={() => measure(lamp)}>
                {t.measure}
              </button>
            </li>
          ))}
        </ul>
      )}
      {measured && <TapTest lamp={measured} close={() => measure(null)} />}
    </section>
  );
}

interface Tapped {
  taps: number;
  latency_ms?: number;
  spread_ms?: number;
}

const TAPS = 8;

/** The lamp flashes; the person taps; the server knows when it flashed. */
function TapTest(props: { lamp: Lamp; close: () => void }) {
  const { name } = props.lamp;
  const [result, show] = useState<Tapped>({ taps: 0 });
  const began = useRef(false);
  const send = async (action: string) => {
    try {
      show(await post<Tapped>("api/aurora/tap", { lamp: name, action }));
    } catch (e) {
      tell(e instanceof Error ? e.message : String(e));
    }
  };
  useEffect(() => {
    if (!began.current) void send("start");
    began.current = true;
    return () => {
      void post("api/aurora/tap", { lamp: name, action: "end" })
        .catch(() => undefined)
        .then(() => status.again());
    };
  }, []);
  return (
    <Dialog label={t.tapTitle(name)} close={props.close}>
      <div class="au-tap">
        <h2>{t.tapTitle(name)}</h2>
        <p>{t.tapBody}</p>
        <button type="button" class="button main-action au-now" autofocus onPointerDown={() => void send("tap")}
          onKeyDown={(e) => (e.key === " " || e.key === "Enter") && !e.repeat && void send("tap")}>
          {t.tap}
        </button>
        <p class="num" role="status">
          {result.latency_ms !== undefined && result.taps >= TAPS
            ? t.tapped(result.latency_ms, result.spread_ms ?? 0)
            : t.taps(Math.min(result.taps, TAPS))}
        </p>
        <button type="button" class="button" onClick={props.close}>
          {t.close}
        </button>
      </div>
    </Dialog>
  );
}
