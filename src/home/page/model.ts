// What a thing in the house is and how to say it. Decides; asks and draws nothing.
import { t } from "./text";

export interface Entity {
  house: string;
  id: string;
  name: string;
  state: string;
  area: string | null;
  /** Seconds since 1970. */
  changed: number;
  attributes: Record<string, unknown>;
  /** `config` and `diagnostic` entities are shown only when searched for. */
  category: string | null;
}

/** An entity as `/api/home/entities` tells it. */
export interface Row {
  house: string;
  id: string;
  name?: string;
  state: string;
  area?: string;
  area_id?: string;
  last_changed: string;
  attributes?: Record<string, unknown>;
  category?: string;
}

/** A house as `/api/home/houses` tells it. */
export interface House {
  name: string;
  location: string;
  configured: boolean;
  connected: boolean;
  /** How many there are to be seen. */
  entities: number;
  /** Why it is not connected. */
  why?: string;
  areas: Area[];
}

export interface Area {
  id: string;
  name: string;
  floor: string | null;
}

export function read(row: Row): Entity {
  const id = row.id;
  return {
    house: row.house,
    id,
    name: row.name ?? words(id.slice(id.indexOf(".") + 1)),
    state: row.state,
    area: row.area_id ?? null,
    changed: Date.parse(row.last_changed) / 1000,
    attributes: row.attributes ?? {},
    category: row.category ?? null,
  };
}

export type Kind = keyof typeof order;

/** Kinds in the order of lists. */
const order = {
  light: 0,
  switch: 1,
  climate: 2,
  cover: 3,
  lock: 4,
  media: 5,
  motion: 6,
  scene: 7,
  sensor: 8,
  other: 9,
} as const;

const kinds: Record<string, Kind> = {
  light: "light",
  switch: "switch",
  input_boolean: "switch",
  fan: "switch",
  siren: "switch",
  humidifier: "climate",
  climate: "climate",
  water_heater: "climate",
  cover: "cover",
  valve: "cover",
  lock: "lock",
  alarm_control_panel: "lock",
  media_player: "media",
  remote: "media",
  binary_sensor: "motion",
  person: "motion",
  device_tracker: "motion",
  scene: "scene",
  script: "scene",
  automation: "scene",
  button: "scene",
  input_button: "scene",
  sensor: "sensor",
  weather: "sensor",
  number: "sensor",
};

export const allKinds = Object.keys(order) as Kind[];
export const domainOf = (id: string) => id.split(".", 1)[0] ?? "";
export const kindOf = (id: string): Kind => kinds[domainOf(id)] ?? "other";

export function compare(a: Entity, b: Entity): number {
  return order[kindOf(a.id)] - order[kindOf(b.id)] || a.name.localeCompare(b.name);
}

const switchable = new Set([
  "light",
  "switch",
  "input_boolean",
  "fan",
  "siren",
  "humidifier",
  "automation",
]);

/** Whether a switch beside its name makes sense. */
export const canSwitch = (e: Entity) => switchable.has(domainOf(e.id)) && !isAway(e);
export const isAway = (e: Entity) => e.state === "unavailable" || e.state === "unknown";

const quiet = new Set(["off", "closed", "locked", "idle", "standby", "unavailable", "unknown", "docked", "disarmed", "not_home", "paused"]);

/** Whether it is lit, moving, open or otherwise worth an accent. */
export function isActive(e: Entity): boolean {
  const kind = kindOf(e.id);
  if (kind === "sensor" || kind === "scene" || kind === "other") return false;
  if (domainOf(e.id) === "person" || domainOf(e.id) === "device_tracker") return false;
  const doing = e.attributes.hvac_action;
  if (typeof doing === "string") return doing !== "idle" && doing !== "off";
  return !quiet.has(e.state);
}

export const number = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;
export const words = (value: string) => {
  const spaced = value.replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
};

export const percent = (part: number, whole: number) => `${Math.round((part / whole) * 100)} %`;
export const degrees = (n: number) => `${n.toFixed(1).replace(/\.0$/, "")}°`;

/** The state in the words of a home owner. */
export function say(e: Entity): string {
  const a = e.attributes;
  const state = e.state;
  const plain = t.states[state] ?? words(state);
  if (isAway(e)) return plain;
  switch (domainOf(e.id)) {
    case "light": {
      const bright = number(a.brightness);
      return state === "on" && bright !== null ? `${plain} · ${percent(bright, 255)}` : plain;
    }
    case "fan": {
      const speed = number(a.percentage);
      return state === "on" && speed !== null ? `${plain} · ${Math.round(speed)} %` : plain;
    }
    case "cover":
    case "valve": {
      const at = number(a.current_position);
      return at !== null && at > 0 && at < 100 ? `${plain} · ${Math.round(at)} %` : plain;
    }
    case "climate": {
      const now = number(a.current_temperature);
      const wanted = number(a.temperature);
      const doing = typeof a.hvac_action === "string" ? words(a.hvac_action) : plain;
      const from = now === null ? "" : degrees(now);
      const to = wanted === null || state === "off" ? "" : ` → ${degrees(wanted)}`;
      return [from + to, doing].filter(Boolean).join(" · ");
    }
    case "media_player":
      return typeof a.media_title === "string" && a.media_title ? `${plain} · ${a.media_title}` : plain;
    case "binary_sensor": {
      const pair = t.binary[String(a.device_class)];
      return pair ? pair[state === "on" ? 1 : 0] : plain;
    }
    case "scene":
    case "button":
    case "input_button":
      return "";
    default:
      return measure(e) ?? plain;
  }
}

/** Made once: making one takes far longer than using it. */
const digitsOf = [0, 1, 2].map((n) => new Intl.NumberFormat(t.language, { maximumFractionDigits: n }));
const moment = new Intl.DateTimeFormat(t.language, { dateStyle: "medium", timeStyle: "short" });

/** A number with its unit. */
function measure(e: Entity): string | null {
  const value = Number(e.state);
  if (e.state === "" || !Number.isFinite(value)) {
    const at = /^\d{4}-\d\d-\d\dT/.test(e.state) ? Date.parse(e.state) : Number.NaN;
    return Number.isNaN(at) ? null : moment.format(at);
  }
  const unit = typeof e.attributes.unit_of_measurement === "string" ? e.attributes.unit_of_measurement : "";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const shown = digitsOf[digits]?.format(value) ?? e.state;
  return unit ? `${shown} ${unit}` : shown;
}

/** Whether every word of a search (in small letters) is found in what is known of the entity. */
export function finds(e: Entity, area: string, search: string): boolean {
  const all = `${e.name} ${e.id} ${area} ${say(e)} ${e.state}`.toLowerCase();
  return search.split(/\s+/).every((word) => all.includes(word));
}

/** The name without the area's in front of it: for places where the area stands above. */
export function shortName(e: Entity, area: string): string {
  if (!area || !e.name.toLowerCase().startsWith(`${area.toLowerCase()} `)) return e.name;
  const rest = e.name.slice(area.length + 1);
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

/** The service that a click on the switch calls. */
export const flipService = (e: Entity) => (e.state === "on" ? "turn_off" : "turn_on");
