// A line of numbers over time: one SVG polyline and its corners in words.
import { hms } from "hearth/ui";

export type Point = [at: number, value: number];

const W = 600;
const H = 120;

const shown = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 5 });

export function Plot(props: { label: string; points: Point[]; zero?: boolean }) {
  const { points } = props;
  const first = points[0];
  const last = points[points.length - 1];
  if (!first || !last || points.length < 2) return null;
  const values = points.map(([, value]) => value);
  const low = props.zero ? Math.min(0, ...values) : Math.min(...values);
  const high = Math.max(...values, props.zero ? 1 : -Infinity);
  const span = last[0] - first[0] || 1;
  // A flat line stands in the middle.
  const rise = high - low || 1;
  const lift = high === low ? H / 2 : 0;
  const at = ([x, y]: Point) =>
    `${(((x - first[0]) / span) * W).toFixed(1)},${(H - ((y - low) / rise) * H - lift).toFixed(1)}`;
  const say = `${props.label}: ${shown.format(low)} – ${shown.format(high)}`;
  return (
    <figure class="mq-plot">
      <svg viewBox={`0 -4 ${W} ${H + 8}`} preserveAspectRatio="none" role="img" aria-label={say}>
        <polyline points={points.map(at).join(" ")} />
      </svg>
      <figcaption class="small soft num">
        <span>{hms(first[0])}</span>
        <span>
          {shown.format(low)} – {shown.format(high)}
        </span>
        <span>{hms(last[0])}</span>
      </figcaption>
    </figure>
  );
}
