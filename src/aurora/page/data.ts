// What the page knows of Aurora: its status, and the frames of the stream of levels.
import { signal } from "@preact/signals";
import { lines, loader, open, persist, post, tell } from "hearth/ui";

export interface Lamp {
  name: string;
  kind: string;
  address: string;
  pixels: number;
  /** ok, idle or why it gets nothing. */
  state: string;
  latency_ms: number;
  latency_source: string;
  sent: number;
  dropped: number;
  errors: number;
}

export interface Zone {
  name: string;
  effect: string;
  palette: string;
  brightness: number;
  speed: number;
  intensity: number;
  lamps: string[];
}

export interface Playback {
  timeline: string;
  state: "playing" | "paused";
  /** Seconds. */
  position: number;
  duration: number;
  looped: boolean;
}

export interface Status {
  input: { name: string; state: "idle" | "listening" | "away"; why: string | null; rate: number; xruns: number };
  inputs: { name: string; label: string }[];
  show: { running: boolean; by: string | null; source: string | null };
  zones: Zone[];
  effects: { name: string; about: string }[];
  palettes: { name: string; colours: string[] }[];
  profiles: string[];
  lamps: Lamp[];
  playback: Playback | null;
  limits_flashes: boolean;
}

export interface Timeline {
  id: string;
  name: string;
  duration: number;
  bpm: number | null;
}

export interface Frame {
  level: number;
  peak: number;
  clipped: boolean;
  open: boolean;
  sixteen: number[];
  beat: { bpm: number; phase: number; beat: number | null; of: number | null; sure: number } | null;
  key: string | null;
  arc: "steady" | "rising" | "drop";
  /** The colours of each lamp, six hexadecimal digits a pixel, as many as are worth showing. */
  lamps: string[];
}

export const status = loader<Status>("api/aurora/status");
export const timelines = loader<{ timelines: Timeline[] }>("api/aurora/timelines");
/** The newest frame, for what is drawn; not a signal, as nothing is to be laid out anew for it. */
export const now: { frame: Frame | null; at: number } = { frame: null, at: 0 };
/** What changes seldom enough to be words. */
export const words = signal<{ bpm: number | null; key: string | null; arc: string; clipped: boolean; open: boolean }>({
  bpm: null,
  key: null,
  arc: "steady",
  clipped: false,
  open: false,
});
export const broken = signal<string | null>(null);

function take(frame: Frame) {
  now.frame = frame;
  now.at = performance.now();
  const bpm = frame.beat ? Math.round(frame.beat.bpm) : null;
  const { key, arc, clipped, open } = frame;
  const old = words.value;
  const same = old.bpm === bpm && old.key === key && old.arc === arc && old.clipped === clipped && old.open === open;
  if (!same) words.value = { bpm, key, arc, clipped, open };
}

/** Reads the stream of levels until it is told to stop: sound is captured only for that long. */
export function listen(): () => void {
  return persist(
    async (signal) => {
      const body = await open("api/aurora/levels", signal);
      broken.value = null;
      for await (const event of lines(body)) {
        if (event?.name === "frame") take(JSON.parse(event.data) as Frame);
      }
    },
    (why) => {
      now.frame = null;
      if (why) broken.value = why;
    },
  );
}

/** Asks Aurora to do something and shows what became of it. */
export async function act(verb: string, what: Record<string, unknown> = {}): Promise<boolean> {
  try {
    await post(`api/aurora/${verb}`, what);
    return true;
  } catch (e) {
    tell(e instanceof Error ? e.message : String(e));
    return false;
  } finally {
    await status.again();
  }
}
