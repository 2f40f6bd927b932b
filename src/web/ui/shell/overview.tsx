// The first page: the house at a glance.
import { Empty, Head, Loading } from "../shared/parts";
import { text } from "../shared/text";
import { ago, clock } from "../shared/time";
import { openPage, pages } from "./pages";
import { known, type Service } from "./state";

const t = text.overview;

/** A service that needs to be looked at, with its reason. */
function Troubled({ of }: { of: Service }) {
  return (
    <li class="card service">
      <span class={`dot ${of.state}`} />
      <div>
        <p>
          <span class="name">{of.name}</span>{" "}
          <span class={`state-word ${of.state}`}>{t.word[of.state] ?? of.state}</span>
        </p>
        {of.reason && <p class="small soft">{of.reason}</p>}
        {of.restarts > 0 && <p class="small soft">{t.restarts(of.restarts)}</p>}
      </div>
    </li>
  );
}

/** What runs, in one line each: nobody needs to look at it. */
function Fine({ all }: { all: Service[] }) {
  return (
    <ul class="card fine">
      {all.map((s) => (
        <li key={s.name} title={s.restarts ? t.restarts(s.restarts) : ""}>
          <span class="dot up" />
          <span class="name">{s.name}</span> <span class="unseen">{t.word.up}</span>
        </li>
      ))}
    </ul>
  );
}

function Services() {
  const state = known.value;
  if (!state) return <Loading rows={3} />;
  const services = state.services;
  const up = services.filter((s) => s.state === "up");
  const others = services.filter((s) => s.state !== "up");
  return (
    <section class="section" aria-labelledby="services">
      <div class="section-head">
        <h2 id="services">{t.services}</h2>
        <p class="small soft">
          {t.count(up.length, services.length)} · {t.version(state.version)},{" "}
          {t.started(ago(state.started))}
        </p>
      </div>
      {services.length === 0 && <Empty title={t.none}>{t.noneBody}</Empty>}
      {others.length > 0 && (
        <ul class="services">
          {others.map((s) => (
            <Troubled key={s.name} of={s} />
          ))}
        </ul>
      )}
      {up.length > 0 && <Fine all={up} />}
    </section>
  );
}

export function Overview() {
  const modules = pages.value.map((p) => openPage(p.name).module.value);
  const sentence = modules
    .map((m) => m?.sentence?.() ?? "")
    .filter(Boolean)
    .join(" ");
  const hour = new Date(clock.value).getHours();
  return (
    <>
      <Head title={t.greeting(hour)} lead={sentence} />
      {modules.map((m, i) => m?.Glance && <m.Glance key={i} />)}
      <Services />
    </>
  );
}
