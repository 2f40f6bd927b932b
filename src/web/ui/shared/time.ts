// Times in words, kept fresh by one slow clock.
import { signal } from "@preact/signals";
import { text } from "./text";

/** Now in milliseconds, in steps of ten seconds. */
export const clock = signal(Date.now());
setInterval(() => (clock.value = Date.now()), 10_000);

const relative = new Intl.RelativeTimeFormat(text.language, { numeric: "auto", style: "short" });
const time = new Intl.DateTimeFormat(text.language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(text.language, { dateStyle: "full", timeStyle: "medium" });

/** How long ago, for seconds since 1970. Reads the clock, so what shows it stays fresh. */
export function ago(at: number): string {
  const seconds = Math.max(0, clock.value / 1000 - at);
  if (seconds < 20) return text.time.now;
  if (seconds < 3600) return relative.format(-Math.max(1, Math.round(seconds / 60)), "minute");
  if (seconds < 86_400) return relative.format(-Math.round(seconds / 3600), "hour");
  return relative.format(-Math.round(seconds / 86_400), "day");
}

/** Hours, minutes and seconds of the day. */
export const hms = (at: number) => time.format(at * 1000);
/** Day and time in full. */
export const when = (at: number) => full.format(at * 1000);
/** For `<time datetime>`. */
export const iso = (at: number) => new Date(at * 1000).toISOString();
