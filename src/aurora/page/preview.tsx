// The lamps as they are now: a disc for a single one, a band for a strip.
import { useEffect, useRef } from "preact/hooks";
import { now, type Lamp } from "./data";
import { t } from "./text";

/** Calls `draw` before each picture of the screen for as long as the part is shown. */
export function useFrames(draw: () => void) {
  useEffect(() => {
    let next = requestAnimationFrame(function again() {
      draw();
      next = requestAnimationFrame(again);
    });
    return () => cancelAnimationFrame(next);
  });
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");
/** Between two pictures for people who asked for less motion. */
const SLOW = 500;

export function Preview(props: { lamps: Lamp[] }) {
  const box = useRef<HTMLDivElement>(null);
  const last = useRef(0);
  useFrames(() => {
    const at = performance.now();
    if (calm.matches && at - last.current < SLOW) return;
    last.current = at;
    const canvases = box.current?.querySelectorAll("canvas") ?? [];
    canvases.forEach((canvas, n) => paint(canvas, now.frame?.lamps[n] ?? ""));
  });
  return (
    <section class="au-stage" aria-label={t.preview} ref={box}>
      {props.lamps.map((lamp) => (
        <figure key={lamp.name} class={lamp.pixels > 1 ? "au-lamp strip" : "au-lamp"}>
          <canvas width={lamp.pixels > 1 ? 64 : 1} height={1} aria-hidden="true" />
          <figcaption class="small">{lamp.name}</figcaption>
        </figure>
      ))}
    </section>
  );
}

/** Six hexadecimal digits a pixel; an empty text is dark. */
function paint(canvas: HTMLCanvasElement, colours: string) {
  const pixels = Math.max(1, Math.floor(colours.length / 6));
  if (canvas.width !== pixels) canvas.width = pixels;
  const brush = canvas.getContext("2d");
  if (!brush) return;
  const picture = brush.createImageData(pixels, 1);
  for (let n = 0; n < pixels; n++) {
    const rgb = colours ? parseInt(colours.slice(6 * n, 6 * n + 6), 16) : 0;
    picture.data.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, 255], 4 * n);
  }
  brush.putImageData(picture, 0, 0);
}
