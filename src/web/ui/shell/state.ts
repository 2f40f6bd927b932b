// What the shell knows of this Hearth: fetched once, kept fresh by events.
import { computed, effect } from "@preact/signals";
import { link, on, onGap } from "../shared/live";
import { loader } from "../shared/load";
import { keep } from "../shared/storage";

export interface Service {
  name: string;
  own: boolean;
  state: string;
  reason: string | null;
  restarts: number;
}

export interface State {
  version: string;
  demo: boolean;
  /** Seconds since 1970. */
  started: number;
  healthy: boolean;
  ready: boolean;
  /** What a client on the same machine runs; only for admins. */
  command: string | null;
  who: { name: string; via: string; level: string };
  services: Service[];
  pages: { name: string; title: string; summary: string | null }[];
}

// Reaching the state means that the cookie is good; the login page may then look for it.
export const state = loader<State>("api/web/state", () => keep("in", "1"));
export const known = computed(() => state.value.value);

/** Whether something that Hearth talks to is away, so that what is shown of it is old. */
export const isAway = computed(
  () => known.value?.services.some((s) => !s.own && ["degraded", "down"].includes(s.state)) ?? false,
);

on("service", () => void state.again());
onGap(() => void state.again());

// The first try can fail while Hearth starts; the link says when it is worth another.
effect(() => {
  if (link.value === "live" && state.error.peek()) void state.again();
});
