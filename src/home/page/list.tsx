// The page of the house: every thing, by area, with search and kinds.
import { computed, signal, useComputed, useSignal, type Signal } from "@preact/signals";
import { Chips, Empty, Failed, Head, Icon, Loading, place, Search, settle } from "hearth/ui";
import { Ask } from "./ask";
import { Changes } from "./changes";
import { Detail } from "./detail";
import { areaName, areaOf, entities, house, houses, keyOf, pulse, sorted, stale } from "./house";
import { allKinds, finds, kindOf, type Entity, type Kind } from "./model";
import { t } from "./text";
import { Tile } from "./tile";

const search = signal("");
const kind = signal<Kind | "all">("all");
/** So many tiles of an area before "show more". */
const FEW = 12;

/** What the search finds, before the choice of a kind. */
const found = computed(() => {
  const words = search.value.trim().toLowerCase();
  // A search is by state too, so it looks again when states change.
  if (words) void pulse.value;
  return sorted.value.filter((s) => {
    const e = s.peek();
    return words ? finds(e, areaName(e), words) : !e.category;
  });
});

const chips = computed(() => {
  const counts = new Map<Kind, number>();
  for (const s of found.value) {
    const k = kindOf(s.peek().id);
    counts.set(k, (counts.get(k) ?? 0) + 1);
  }
  const present = allKinds.filter((k) => counts.has(k) || k === kind.value);
  return [
    { key: "all" as const, name: t.all, count: found.value.length },
    ...present.map((k) => ({ key: k, name: t.kinds[k] ?? k, count: counts.get(k) ?? 0 })),
  ];
});

/** Areas with what is shown in them, by name; what has no area comes last. */
const groups = computed(() => {
  const shown = found.value.filter((s) => kind.value === "all" || kindOf(s.peek().id) === kind.value);
  const by = new Map<string, Signal<Entity>[]>();
  for (const s of shown) {
    const name = areaName(s.peek());
    const list = by.get(name);
    if (list) list.push(s);
    else by.set(name, [s]);
  }
  return [...by].sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a.localeCompare(b)));
});

function Group(props: { name: string; all: Signal<Entity>[] }) {
  const open = useSignal(false);
  const name = props.name || t.noArea;
  const first = props.all[0]?.peek();
  const floor = first && areaOf(first)?.floor;
  const cut = !open.value && !search.value && props.all.length > FEW + 2;
  const shown = cut ? props.all.slice(0, FEW) : props.all;
  return (
    <section class="section area" aria-label={name}>
      <div class="section-head">
        <h2>{name}</h2>
        {floor && <span class="small soft">{floor}</span>}
      </div>
      <ul class="tiles">
        {shown.map((s) => (
          <Tile key={keyOf(s.peek())} of={s} />
        ))}
      </ul>
      {(cut || open.value) && (
        <button class="button quiet more" type="button" onClick={() => (open.value = !open.value)}>
          {cut ? t.more(props.all.length - FEW) : t.less}
        </button>
      )}
    </section>
  );
}

/** Says of each house that is away why, and that what is shown of it is old. */
export function Away() {
  return (
    <>
      {houses.value
        .filter((h) => !h.connected)
        .map((h) => (
          <div class="note" role="status" key={h.name}>
            <Icon name="alert" />
            <div>
              <h3>{h.configured ? t.away : t.notSetUp}</h3>
              {h.why && <p>{h.why}</p>}
              {h.configured && <p class="small">{t.awayBody}</p>}
            </div>
          </div>
        ))}
    </>
  );
}

function Everything() {
  const loaded = house.value.value;
  if (!loaded) {
    const why = house.error.value;
    return why ? <Failed why={why} again={() => void house.again()} /> : <Loading rows={10} />;
  }
  if (!entities.size) return stale.value ? null : <Empty title={t.none}>{t.noneBody}</Empty>;
  return (
    <>
      <div class="section tools">
        <Search label={t.search} value={search.value} type={(v) => (search.value = v)} />
        <Chips
          label={t.filter}
          all={chips.value}
          chosen={kind.value}
          choose={(k) => (kind.value = k)}
          oneLine
        />
      </div>
      {groups.value.length === 0 && (
        <Empty title={t.noMatch}>
          <p>{t.noMatchBody}</p>
          <button
            class="button"
            type="button"
            onClick={() => {
              search.value = "";
              kind.value = "all";
            }}
          >
            {t.showAll}
          </button>
        </Empty>
      )}
      <div class={stale.value ? "old groups" : "groups"}>
        {groups.value.map(([name, all]) => (
          <Group key={name} name={name} all={all} />
        ))}
      </div>
    </>
  );
}

export function House() {
  const lead = useComputed(() => {
    const shown = sorted.value.filter((s) => !s.peek().category).length;
    const rooms = houses.value.reduce((n, h) => n + h.areas.length, 0);
    return shown ? t.lead(shown, sorted.value.length - shown, rooms) : "";
  });
  return (
    <>
      <Head title={t.title} lead={lead.value} />
      <Away />
      <Everything />
      <Changes />
      {place.value && house.value.value && (
        <Detail key={place.value} of={place.value} close={() => settle("home")} />
      )}
      <Ask />
    </>
  );
}
