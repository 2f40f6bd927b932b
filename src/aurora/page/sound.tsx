// What is heard: spectrum, level, beat and key, and which input it comes from.
import { useRef } from "preact/hooks";
import { act, now, words, type Status } from "./data";
import { useFrames } from "./preview";
import { t } from "./text";

/** A bar falls by this share of what it stood at in each picture. */
const FALL = 0.9;

export function Sound(props: { status: Status }) {
  const { input, inputs } = props.status;
  const { bpm, key, arc, clipped, open } = words.value;
  return (
    <section class="section" aria-label={t.sound}>
      <div class="section-head">
        <h2>{t.sound}</h2>
        <span class="num au-words">
          {!open ? t.silent : bpm === null ? t.noBeat : t.bpm(bpm)}
          {key && <span class="soft"> · {key}</span>}
          {t.arc[arc] && <span class="tag">{t.arc[arc]}</span>}
        </span>
      </div>
      <div class="card pad au-sound">
        <Bars />
        <Ring />
        {clipped && (
          <p class="small au-clip" role="status">
            {t.clipped}
          </p>
        )}
        <label class="au-input">
          <span class="small soft">{t.input}</span>
          <select
            class="field"
            value={input.name}
            onChange={(e) => void act("input", { input: e.currentTarget.value })}
          >
            {inputs.map((one) => (
              <option key={one.name} value={one.name}>
                {one.label}
              </option>
            ))}
            {!inputs.some((one) => one.name === input.name) && <option value={input.name}>{input.name}</option>}
          </select>
        </label>
      </div>
    </section>
  );
}

function Bars() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const held = useRef<number[]>(Array.from({ length: 16 }, () => 0));
  useFrames(() => {
    const brush = canvas.current?.getContext("2d");
    if (!canvas.current || !brush) return;
    const { width, height } = canvas.current;
    const style = getComputedStyle(canvas.current);
    brush.clearRect(0, 0, width, height);
    brush.fillStyle = style.color;
    held.current = held.current.map((old, n) => Math.max(now.frame?.sixteen[n] ?? 0, old * FALL));
    const step = width / 16;
    held.current.forEach((value, n) => {
      const tall = Math.max(2, value * height);
      brush.fillRect(n * step + 1, height - tall, step - 3, tall);
    });
  });
  return <canvas ref={canvas} class="au-bars" width={320} height={110} role="img" aria-label={t.spectrum} />;
}

/** A ring that fills from beat to beat, with the place in the bar inside. */
function Ring() {
  const arc = useRef<SVGCircleElement>(null);
  const inside = useRef<SVGTextElement>(null);
  const around = 2 * Math.PI * 40;
  useFrames(() => {
    const beat = now.frame?.beat;
    if (!arc.current || !inside.current) return;
    if (!beat) {
      arc.current.style.strokeDashoffset = String(around);
      inside.current.textContent = "–";
      return;
    }
    // Between two events the beat goes on by itself.
    const beats = beat.phase + (((performance.now() - now.at) / 1000) * beat.bpm) / 60;
    arc.current.style.strokeDashoffset = String(around * (1 - (beats % 1)));
    const steps = Math.floor(beats);
    inside.current.textContent = beat.beat && beat.of ? String(((beat.beat - 1 + steps) % beat.of) + 1) : "•";
  });
  return (
    <svg class="au-ring" viewBox="0 0 100 100" role="img" aria-label={t.beat}>
      <circle cx="50" cy="50" r="40" class="well" />
      <circle
        ref={arc}
        cx="50"
        cy="50"
        r="40"
        class="full"
        stroke-dasharray={around}
        stroke-dashoffset={around}
        transform="rotate(-90 50 50)"
      />
      <text ref={inside} x="50" y="52" text-anchor="middle" dominant-baseline="middle">
        –
      </text>
    </svg>
  );
}
