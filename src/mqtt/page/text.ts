// The English texts of the MQTT page.
import { shared } from "hearth/ui";

const { plural } = shared;

export const t = {
  title: "MQTT",
  views: "Show",
  view: { topics: "Topics", messages: "Messages", devices: "Devices", broker: "Broker", publish: "Publish" },
  session: "Session",
  none: "No broker is configured",
  noneBody: "Set DEFAULT_MQTT_BROKER to the address of the home's broker, for example 192.168.1.5:1883, and start Hearth again.",
  away: (broker: string) => `${broker} cannot be reached`,
  awayBody: "What is shown arrived before. It is tried again by itself.",
  connecting: "Connecting to the broker…",
  lead: (broker: string, topics: number, rate: number) =>
    `${broker} · ${plural(topics, "topic", "topics")} · ${rate < 10 ? rate.toFixed(1) : Math.round(rate)} messages a second`,
  topics: {
    empty: "Nothing has been heard yet",
    emptyBody: "As soon as something is published, its topic appears here.",
    open: (name: string) => `Open ${name}`,
    shut: (name: string) => `Close ${name}`,
    count: (topics: number, messages: number) =>
      `${topics > 1 ? `${topics} topics, ` : ""}${plural(messages, "message", "messages")}`,
    more: (n: number) => `Show more (${n} in all)`,
    root: "(empty name)",
    retained: "kept",
    retainedTitle: "The broker keeps this message (retained)",
  },
  messages: {
    filter: "Topic filter, for example home/+/state",
    pause: "Pause",
    go: "Go on",
    paused: (n: number) => `Paused; ${plural(n, "message", "messages")} since`,
    waiting: "Waiting for messages…",
    waitingBody: "Nothing that fits the filter has arrived since this Hearth began to listen.",
    skipped: (n: number) => `${plural(n, "message", "messages")} more came too fast to be shown`,
    lost: (n: number | null) =>
      n === null ? "Some messages were missed: Hearth was started again" : `${plural(n, "message", "messages")} were missed`,
    export: "Save as a file",
    stopped: "The stream stopped; trying again…",
  },
  topic: {
    gone: "Nothing was heard here",
    payload: "Newest message",
    changed: "What changed",
    same: "Nothing changed since the message before.",
    before: "before",
    now: "now",
    past: "Before",
    plot: "Over time",
    field: "Number",
    whole: "the whole message",
    noPoints: "Too few numbers for a line yet.",
    facts: { count: "Messages", last: "Newest", first: "First", size: "Size", qos: "QoS", retained: "Kept by the broker", gone: "No longer here" },
    yes: "yes",
    no: "no",
    answer: "Publish here",
  },
  payload: {
    empty: "(empty)",
    too_large: (size: string) => `(too large to be kept: ${size})`,
    binary: (type: string) => `(binary${type ? `, ${type}` : ""})`,
    cut: "The rest is not shown.",
  },
  devices: {
    none: "No device has announced itself",
    noneBody: "Devices appear that speak Home Assistant's discovery, zigbee2mqtt, Tasmota or Sparkplug.",
    search: "Search by name, model or topic",
    noMatch: "No device matches",
    entities: (n: number) => plural(n, "function", "functions"),
    away: "away",
  },
  broker: {
    rate: "Messages a second",
    bytes: "Payload a second",
    span: "the last five minutes",
    facts: {
      broker: "Address",
      version: "Protocol",
      state: "State",
      messages: "Messages",
      bytes: "Payload",
      topics: "Topics",
      kept: "Messages kept",
      too_large: "Too large",
      dropped: "Dropped for newer ones",
      unindexed: "Without a place in the index",
    },
    state: { connecting: "connecting", connected: "connected", away: "away" } as Record<string, string>,
    recordings: "Recordings",
    noRecordings: "None. Ask your assistant to record, or call the tool mqtt_record.",
  },
  publish: {
    topic: "Topic",
    payload: "Message",
    qos: "Delivery",
    levels: { 0: "At most once", 1: "At least once", 2: "Exactly once" },
    retain: "Let the broker keep it (retained)",
    send: "Publish",
    dry: "Try without sending",
    readOnly: "Publishing is switched off",
    readOnlyBody: "The setting mqtt.read_only is on. Trying without sending still tells what would happen.",
    level: "Your token may look and not publish",
    noRetained: "Kept messages may not be published here (mqtt.allow_retained).",
    answer: "What came of it",
    sure: "Publish this?",
    yes: "Publish",
    no: "Leave it",
  },
};

/** Bytes in words. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let at = -1;
  let value = bytes;
  do {
    value /= 1000;
    at += 1;
  } while (value >= 999.5 && at < units.length - 1);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}
