// The live house: fetched once, then kept by events. Each entity is a signal, so that one lamp
// changing draws one tile anew.
import { computed, signal, type Signal } from "@preact/signals";
import { get, loader, on, onGap, post, Refusal, tell } from "hearth/ui";
import { compare, flipService, read, type Area, type Entity, type House, type Row } from "./model";

interface Told {
  house: string;
  entity_id: string;
  state: string | null;
  name: string | null;
  area: string | null;
  changed: number;
}
interface HouseTold {
  house: string;
  change: "connected" | "lost" | "registries";
}

interface Answer {
  houses: House[];
  entities: Entity[];
}

export const entities = new Map<string, Signal<Entity>>();
/** Changes when entities come or go, are renamed or move. */
export const shape = signal(0);
/** The houses; more than one is rare. */
export const houses = signal<House[]>([]);
/** Whether a house is away, so that what is shown of it is old. */
export const stale = computed(() => houses.value.some((h) => !h.connected));
/** Areas by house and id. */
const areas = computed(
  () => new Map(houses.value.flatMap((h) => h.areas.map((a) => [`${h.name} ${a.id}`, a] as const))),
);

export const areaOf = (e: Entity): Area | undefined => areas.value.get(`${e.house} ${e.area}`);
/** Name of its area, with the house where there are several; empty for none. */
export function areaName(e: Entity): string {
  const name = areaOf(e)?.name ?? "";
  return houses.value.length > 1 ? [e.house, name].filter(Boolean).join(" · ") : name;
}

const key = (house: string, id: string) => (house === "home" ? id : `${house}/${id}`);
export const keyOf = (e: Entity) => key(e.house, e.id);

function put(e: Entity): boolean {
  const before = entities.get(keyOf(e));
  if (!before) {
    entities.set(keyOf(e), signal(e));
    return true;
  }
  const old = before.peek();
  before.value = e;
  beat();
  return old.name !== e.name || old.area !== e.area || old.category !== e.category;
}

async function fetchAll(): Promise<Answer> {
  const { houses } = await get<{ houses: House[] }>("api/home/houses");
  const all: Entity[] = [];
  for (const { name, entities } of houses) {
    // A house of which nothing was ever heard has nothing to tell, and says itself why.
    if (entities > 0) all.push(...(await fetchHouse(name)));
  }
  return { houses, entities: all };
}

async function fetchHouse(name: string): Promise<Entity[]> {
  const all: Entity[] = [];
  let next: string | undefined;
  do {
    const where = new URLSearchParams({ house: name, ...(next && { cursor: next }) });
    const page = await get<{ entities: Row[]; next?: string }>(`api/home/entities?${where}`);
    all.push(...page.entities.map(read));
    next = page.next;
  } while (next);
  return all;
}

function take(answer: Answer) {
  houses.value = answer.houses;
  const now = new Set(answer.entities.map(keyOf));
  let moved = false;
  for (const gone of [...entities.keys()].filter((k) => !now.has(k))) {
    entities.delete(gone);
    moved = true;
  }
  for (const e of answer.entities) moved = put(e) || moved;
  if (moved) shape.value += 1;
}

export const house = loader<Answer>(fetchAll, take);

/** All entities in list order; read again only when the shape changes. */
export const sorted = computed(() => {
  void shape.value;
  return [...entities.values()].sort((a, b) => compare(a.peek(), b.peek()));
});

/**
 * Changes after any entity changed: at once, then at most every quarter of a second. What looks at
 * the whole house reads this in place of thousands of signals.
 */
export const pulse = signal(0);
const REST = 250;
let resting = false;
let missed = false;

function beat() {
  if (resting) {
    missed = true;
    return;
  }
  resting = true;
  pulse.value += 1;
  setTimeout(() => {
    resting = false;
    if (missed) {
      missed = false;
      beat();
    }
  }, REST);
}

/** Entities whose attributes are being fetched, so that a burst of events asks once. */
const fetching = new Map<string, boolean>();

async function fresh(e: Entity) {
  const k = keyOf(e);
  if (fetching.has(k)) {
    fetching.set(k, true);
    return;
  }
  fetching.set(k, false);
  try {
    const where = `${encodeURIComponent(e.id)}?house=${encodeURIComponent(e.house)}`;
    if (put(read(await get<Row>(`api/home/entities/${where}`)))) shape.value += 1;
  } catch {
    // the next event or the next load tells
  }
  const again = fetching.get(k);
  fetching.delete(k);
  if (again) void fresh(e);
}

function heard(told: Told) {
  const k = key(told.house, told.entity_id);
  const known = entities.get(k);
  if (told.state === null) {
    if (entities.delete(k)) shape.value += 1;
    return;
  }
  if (!known) {
    void house.again();
    return;
  }
  const old = known.peek();
  const next = { ...old, state: told.state, changed: told.changed, area: told.area, name: told.name ?? old.name };
  if (put(next)) shape.value += 1;
  if (told.state !== "unavailable") void fresh(next);
}

on<Told>("entity", heard);
on<HouseTold>("house", (told) => {
  if (told.change === "lost") {
    houses.value = houses.value.map((h) => (h.name === told.house ? { ...h, connected: false } : h));
  } else void house.again();
});
onGap(() => void house.again());
void house.again();

/** What is being done, by entity; its switch shows it. */
export const busy = signal<ReadonlyMap<string, string>>(new Map());

function mark(k: string, wanted: string | null) {
  const next = new Map(busy.value);
  if (wanted === null) next.delete(k);
  else next.set(k, wanted);
  busy.value = next;
}

export interface Wish {
  entity: Entity;
  domain: string;
  service: string;
  data?: Record<string, unknown>;
  confirm?: string;
}

/** What the house wants to have confirmed, with the word that confirms it. */
export const asked = signal<{ wish: Wish; confirm: string } | null>(null);

export async function call(wish: Wish): Promise<boolean> {
  const k = keyOf(wish.entity);
  mark(k, wish.service);
  try {
    await post("api/home/call", {
      house: wish.entity.house,
      service: `${wish.domain}.${wish.service}`,
      target: { entity_id: [wish.entity.id] },
      data: wish.data ?? {},
      ...(wish.confirm && { confirm: wish.confirm }),
    });
    return true;
  } catch (e) {
    const confirm = e instanceof Refusal && e.status === 409 ? /confirm="([^"]+)"/.exec(e.message) : null;
    if (confirm?.[1]) asked.value = { wish, confirm: confirm[1] };
    else tell((e as Error).message);
    return false;
  } finally {
    mark(k, null);
  }
}

/** Turns it on or off. */
export function flip(e: Entity) {
  const domain = e.id.split(".", 1)[0] ?? "";
  void call({ entity: e, domain, service: flipService(e) });
}
