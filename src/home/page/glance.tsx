// The house's part of the overview: one sentence, and what is on, by room.
import { computed } from "@preact/signals";
import { Empty, Failed, href, Loading } from "hearth/ui";
import { Ask } from "./ask";
import { areaName, entities, house, keyOf, pulse, sorted, stale } from "./house";
import { Away } from "./list";
import { degrees, domainOf, isActive, isAway, number, type Entity } from "./model";
import { t } from "./text";
import { Line } from "./tile";

/** So many lines of a room at most. */
const FEW = 5;

/** Everything but what is there for configuration, at the pace of the pulse. */
const everything = computed(() => {
  void pulse.value;
  return sorted.value.map((s) => s.peek()).filter((e) => !e.category);
});

/** What counts as on: things that use power or stand open, not sensors that see something. */
function counts(e: Entity): boolean {
  const domain = domainOf(e.id);
  if (domain === "automation" || domain === "remote") return false;
  if (domain === "climate") return ["heating", "cooling"].includes(String(e.attributes.hvac_action));
  if (domain === "binary_sensor") {
    return e.state === "on" && ["door", "window", "garage_door", "opening", "smoke", "gas", "moisture"].includes(String(e.attributes.device_class));
  }
  // Blinds stand open all day; a garage should not.
  if (domain === "cover") return e.state !== "closed" && ["garage", "gate", "door"].includes(String(e.attributes.device_class));
  if (domain === "alarm_control_panel") return e.state === "triggered";
  return isActive(e);
}

const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;

/** The temperature of each area by name: of its thermometers, else of its thermostats. */
const warmth = computed(() => {
  const by = new Map<string, { room: number[]; stove: number[] }>();
  for (const e of everything.value) {
    const domain = domainOf(e.id);
    const thermometer = domain === "sensor" && e.attributes.device_class === "temperature";
    if (!e.area || (!thermometer && domain !== "climate")) continue;
    const value = number(thermometer ? Number.parseFloat(e.state) : e.attributes.current_temperature);
    if (value === null) continue;
    const name = areaName(e);
    const here = by.get(name) ?? { room: [], stove: [] };
    by.set(name, here);
    (thermometer ? here.room : here.stove).push(value);
  }
  return new Map([...by].map(([area, { room, stove }]) => [area, mean(room.length ? room : stove)]));
});

const rooms = computed(() => {
  const by = new Map<string, Entity[]>();
  for (const e of everything.value.filter(counts)) {
    const here = by.get(areaName(e));
    if (here) here.push(e);
    else by.set(areaName(e), [e]);
  }
  return [...by].sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a.localeCompare(b)));
});

function Room(props: { area: string; on: Entity[] }) {
  const warm = warmth.value.get(props.area);
  const rest = props.on.length - FEW;
  return (
    <article class="card room">
      <header>
        <h3>{props.area || t.noArea}</h3>
        {warm !== undefined && <span class="soft num">{degrees(warm)}</span>}
      </header>
      <ul>
        {props.on.slice(0, FEW).map((e) => (
          <Line key={keyOf(e)} of={e} class="line" />
        ))}
      </ul>
      {rest > 0 && (
        <a class="small soft rest" href={href("home")}>
          {t.glance.and(rest)}
        </a>
      )}
    </article>
  );
}

/** The rooms in which nothing is on, with their temperatures. */
function Quiet() {
  const loud = new Set(rooms.value.map(([area]) => area));
  const names = new Set(everything.value.map(areaName).filter((name) => name && !loud.has(name)));
  if (!names.size) return null;
  return (
    <div class="quiet-rooms">
      <h3 class="small soft">{t.glance.quiet}</h3>
      <ul>
        {[...names].sort((a, b) => a.localeCompare(b)).map((name) => {
          const warm = warmth.value.get(name);
          return (
            <li key={name} class="card">
              <span>{name}</span>
              {warm !== undefined && <span class="soft num">{degrees(warm)}</span>}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function Rooms() {
  if (!house.value.value) {
    const why = house.error.value;
    return why ? <Failed why={why} again={() => void house.again()} /> : <Loading rows={5} />;
  }
  if (!entities.size) return stale.value ? null : <Empty title={t.none}>{t.noneBody}</Empty>;
  return (
    <div class={stale.value ? "old" : ""}>
      {rooms.value.length === 0 && <Empty title={t.glance.off}>{t.glance.offBody}</Empty>}
      <div class="rooms">
        {rooms.value.map(([area, on]) => (
          <Room key={area} area={area} on={on} />
        ))}
      </div>
      <Quiet />
    </div>
  );
}

export function Glance() {
  return (
    <section class="section" aria-labelledby="on-now">
      <div class="section-head">
        <h2 id="on-now">{t.glance.title}</h2>
        <a class="small" href={href("home")}>
          {t.glance.all}
        </a>
      </div>
      <Away />
      <Rooms />
      <Ask />
    </section>
  );
}

/** Lights, locks and warmth in one sentence. */
export function sentence(): string {
  if (!house.value.value || !entities.size || stale.value) return "";
  const parts: string[] = [];
  const lights = everything.value.filter((e) => domainOf(e.id) === "light");
  if (lights.length) parts.push(t.sentence.lights(lights.filter((e) => e.state === "on").length));
  const locks = everything.value.filter((e) => domainOf(e.id) === "lock" && !isAway(e));
  if (locks.length) {
    const open = locks.filter((e) => e.state !== "locked");
    parts.push(open.length ? t.sentence.unlocked(open.map((e) => e.name)) : t.sentence.locked);
  }
  const warm = [...warmth.value.values()];
  if (warm.length) parts.push(t.sentence.inside(degrees(mean(warm))));
  return parts.length ? t.sentence.join(parts) : "";
}
