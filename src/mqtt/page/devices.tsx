// The devices that announce themselves on the broker, as the tool mqtt_list_devices knows them.
import { useSignal } from "@preact/signals";
import { ago, Empty, Failed, get, href, iso, Loading, Search, when } from "hearth/ui";
import { useEffect } from "preact/hooks";
import { address, chosen, useBeat } from "./data";
import { t } from "./text";

interface Device {
  id: string;
  name?: string;
  maker?: string;
  model?: string;
  sources: string[];
  /** Null when nobody says. */
  available: boolean | null;
  last_seen?: string;
  state_topics?: string[];
  entities: number;
}

interface Page {
  devices: Device[];
  total: number;
  next: string | null;
}

const TYPED = 350;

function Row({ of: d }: { of: Device }) {
  const seen = d.last_seen ? Date.parse(d.last_seen) / 1000 : NaN;
  const kind = [d.maker, d.model].filter(Boolean).join(" ");
  const topic = d.state_topics?.[0];
  const name = d.name ?? d.id;
  return (
    <li>
      <span class={`dot ${d.available === null ? "" : d.available ? "up" : "down"}`} aria-hidden="true" />
      <div class="grow">
        <h2>{topic ? <a href={href("mqtt", `=${topic}`)}>{name}</a> : name}</h2>
        <p class="small soft">
          {[kind, d.sources.join(", "), t.devices.entities(d.entities)].filter(Boolean).join(" · ")}
        </p>
      </div>
      <span class="small soft">
        {d.available === false && <strong class="wrong">{t.devices.away} </strong>}
        {!Number.isNaN(seen) && (
          <time dateTime={iso(seen)} title={when(seen)}>
            {ago(seen)}
          </time>
        )}
      </span>
    </li>
  );
}

export function Devices() {
  const typed = useSignal("");
  const query = useSignal("");
  const pages = useSignal(1);
  const known = useSignal<Page | null>(null);
  const error = useSignal<string | null>(null);

  async function look() {
    const asked = { query: query.value || undefined };
    try {
      let got = await get<Page>(address("devices", asked));
      const all = [...got.devices];
      for (let n = 1; n < pages.value && got.next; n++) {
        got = await get<Page>(address("devices", { ...asked, cursor: got.next }));
        all.push(...got.devices);
      }
      known.value = { ...got, devices: all };
      error.value = null;
    } catch (e) {
      error.value = (e as Error).message;
    }
  }
  useEffect(() => {
    const timer = setTimeout(() => (query.value = typed.value.trim()), TYPED);
    return () => clearTimeout(timer);
  }, [typed.value]);
  useBeat(() => void look(), [query.value, pages.value, chosen.value]);

  const page = known.value;
  return (
    <>
      <Search label={t.devices.search} value={typed.value} type={(v) => (typed.value = v)} />
      {error.value && <Failed why={error.value} again={() => void look()} />}
      {!page && !error.value && <Loading rows={6} />}
      {page?.total === 0 && (
        <Empty title={query.value ? t.devices.noMatch : t.devices.none}>
          {!query.value && <p>{t.devices.noneBody}</p>}
        </Empty>
      )}
      {page && page.devices.length > 0 && (
        <ul class="card rows">
          {page.devices.map((d) => (
            <Row key={d.id} of={d} />
          ))}
        </ul>
      )}
      {page?.next && (
        <button class="button" type="button" onClick={() => (pages.value += 1)}>
          {t.topics.more(page.total)}
        </button>
      )}
    </>
  );
}
