// The first page: the house at a glance.
import { Empty, Head, Loading } from "../shared/parts";
import { text } from "../shared/text";
import { ago, clock } from "../shared/time";
import { openPage, pages } from "./pages";
import { known, type Service } from "./state";

const t = text.overview;

function ServiceCard({ of }: { of: Service }) {
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

function Services() {
  const state = known.value;
  if (!state) return <Loading rows={3} />;
  const services = state.services;
  const up = services.filter((s) => s.state === "up").length;
  return (
    <section class="section" aria-labelledby="services">
      <div class="section-head">
        <h2 id="services">{t.services}</h2>
        <p class="small soft">
          {t.count(up, services.length)} · {t.version(state.version)},{" "}
          {t.started(ago(state.started))}
        </p>
      </div>
      {services.length === 0 ? (
        <Empty title={t.none}>{t.noneBody}</Empty>
      ) : (
        <ul class="services">
          {services.map((s) => (
            <ServiceCard key={s.name} of={s} />
          ))}
        </ul>
      )}
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
