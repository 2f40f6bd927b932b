// The tree of topics: a level is fetched when it is opened, and again while it is open.
import { signal } from "@preact/signals";
import { ago, Empty, Failed, get, href, Icon, iso, Loading, when } from "hearth/ui";
import { address, chosen, session, useBeat, type Payload } from "./data";
import { short } from "./payload";
import { t } from "./text";

interface Level {
  name: string;
  id?: string;
  topics: number;
  messages: number;
  last: number;
  more: boolean;
  retained?: boolean;
  value?: Payload;
}

interface Place {
  levels: Level[];
  total: number;
  next?: string;
}

/** Names of a level before "show more"; each press shows as many again. */
const STEP = 100;
/** A level shows no more than this; a filter finds the rest. */
const MOST = 500;

const TOP = "\0top";
const places = signal<ReadonlyMap<string, Place>>(new Map());
const open = signal<ReadonlySet<string>>(new Set([TOP]));
const wanted = signal<ReadonlyMap<string, number>>(new Map());
const error = signal<string | null>(null);
let of = "";

async function look(path: string) {
  const limit = wanted.value.get(path) ?? STEP;
  const below = path === TOP ? undefined : path;
  const from = chosen.value;
  const got = await get<Place>(address("topics", { below, limit }));
  if (from === chosen.value) places.value = new Map(places.value).set(path, got);
}

async function lookAll() {
  if (of !== chosen.value) {
    of = chosen.value;
    places.value = new Map();
    open.value = new Set([TOP]);
  }
  try {
    await Promise.all([...open.value].map(look));
    error.value = null;
  } catch (e) {
    error.value = (e as Error).message;
  }
}

function flip(path: string) {
  const next = new Set(open.value);
  if (next.delete(path)) {
    // What was open below it would be fetched for nobody.
    for (const other of next) if (other.startsWith(`${path}/`)) next.delete(other);
  } else next.add(path);
  open.value = next;
  void lookAll();
}

function Row(props: { level: Level; path: string }) {
  const { level, path } = props;
  const isOpen = open.value.has(path);
  const name = level.name || t.topics.root;
  const label = level.value ? (
    <a class="mq-name" href={href("mqtt", `=${path}`)}>
      {name}
    </a>
  ) : (
    <button class="mq-name" type="button" tabIndex={-1} onClick={() => flip(path)}>
      {name}
    </button>
  );
  return (
    <li>
      <div class="mq-row">
        {level.more ? (
          <button
            class="icon-button mq-flip"
            type="button"
            aria-expanded={isOpen}
            aria-label={isOpen ? t.topics.shut(name) : t.topics.open(name)}
            onClick={() => flip(path)}
          >
            <Icon name="chevron" />
          </button>
        ) : (
          <span class="mq-flip" />
        )}
        {label}
        {level.value && <span class="mq-value mono">{short(level.value, 100)}</span>}
        {level.retained && (
          <span class="tag" title={t.topics.retainedTitle}>
            {t.topics.retained}
          </span>
        )}
        <span class="mq-count small soft num">
          {t.topics.count(level.topics, level.messages)} ·{" "}
          <time dateTime={iso(level.last)} title={when(level.last)}>
            {ago(level.last)}
          </time>
        </span>
      </div>
      {isOpen && <Branch path={path} />}
    </li>
  );
}

function Branch({ path }: { path: string }) {
  const place = places.value.get(path);
  if (!place) return <p class="small soft mq-wait">…</p>;
  const shown = wanted.value.get(path) ?? STEP;
  return (
    <ul class={path === TOP ? "mq-tree" : "mq-tree below"}>
      {place.levels.map((level) => {
        const own = level.id === undefined ? undefined : decodeURIComponent(level.id);
        const full = own ?? (path === TOP ? level.name : `${path}/${level.name}`);
        return <Row key={full} level={level} path={full} />;
      })}
      {place.next !== undefined && shown < MOST && (
        <li>
          <button
            class="button quiet"
            type="button"
            onClick={() => {
              wanted.value = new Map(wanted.value).set(path, Math.min(shown + STEP, MOST));
              void lookAll();
            }}
          >
            {t.topics.more(place.total)}
          </button>
        </li>
      )}
    </ul>
  );
}

export function Tree() {
  useBeat(() => void lookAll(), [chosen.value]);
  const top = places.value.get(TOP);
  if (!top) {
    return error.value ? <Failed why={error.value} again={() => void lookAll()} /> : <Loading rows={6} />;
  }
  if (!top.levels.length) {
    return session.value?.state === "away" ? null : (
      <Empty title={t.topics.empty}>
        <p>{t.topics.emptyBody}</p>
      </Empty>
    );
  }
  return (
    <div class={session.value?.state === "away" ? "card mq-card old" : "card mq-card"}>
      <Branch path={TOP} />
    </div>
  );
}
