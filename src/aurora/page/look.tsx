// How it looks: effect, colours and sliders of one zone, and looks that were saved.
import { Chips } from "hearth/ui";
import { useState } from "preact/hooks";
import { act, type Status, type Zone } from "./data";
import { t } from "./text";

/** Each slider and what it goes from and to; speed doubles with each step of 1. */
const sliders = [
  { name: "brightness", low: 0, high: 1, step: 0.05, show: (x: number) => x, take: (x: number) => x },
  { name: "speed", low: -2, high: 2, step: 0.25, show: Math.log2, take: (x: number) => 2 ** x },
  { name: "intensity", low: 0, high: 1, step: 0.05, show: (x: number) => x, take: (x: number) => x },
] as const;

export function Look(props: { status: Status }) {
  const { zones, effects, palettes, profiles, limits_flashes } = props.status;
  const [chosen, choose] = useState("");
  const zone = zones.find((one) => one.name === chosen) ?? zones[0];
  if (!zone) return null;
  const set = (what: Partial<Zone>) => void act("look", { zone: zone.name, ...what });
  const about = effects.find((one) => one.name === zone.effect)?.about;
  return (
    <section class="section" aria-label={t.look}>
      <div class="section-head">
        <h2>{t.look}</h2>
        {zones.length > 1 && (
          <Chips
            label={t.zone}
            all={zones.map(({ name }) => ({ key: name, name }))}
            chosen={zone.name}
            choose={choose}
          />
        )}
      </div>
      <div class="card pad au-look">
        <Chips
          label={t.effect}
          all={effects.map(({ name }) => ({ key: name, name: name.replace(/_/g, " ") }))}
          chosen={zone.effect}
          choose={(effect) => set({ effect })}
        />
        {about && <p class="small soft">{about}</p>}
        <div class="au-palettes" role="group" aria-label={t.palette}>
          {palettes.map((one) => (
            <button
              key={one.name}
              type="button"
              class="au-palette"
              aria-pressed={one.name === zone.palette}
              aria-label={one.name}
              title={one.name}
              onClick={() => set({ palette: one.name })}
            >
              <svg viewBox={`0 0 ${one.colours.length} 1`} preserveAspectRatio="none" aria-hidden="true">
                {one.colours.map((colour, n) => (
                  <rect key={n} x={n} width="1.02" height="1" fill={colour} />
                ))}
              </svg>
            </button>
          ))}
        </div>
        {sliders.map(({ name, low, high, step, show, take }) => (
          <label key={name} class="au-slider">
            <span class="small">{t[name]}</span>
            <input
              type="range"
              min={low}
              max={high}
              step={step}
              value={show(zone[name])}
              aria-valuetext={t.percent(zone[name])}
              onChange={(e) => set({ [name]: take(Number(e.currentTarget.value)) })}
            />
          </label>
        ))}
        <Saved profiles={profiles} />
        <p class={limits_flashes ? "small soft" : "small au-clip"}>{limits_flashes ? t.flashes : t.noLimit}</p>
      </div>
    </section>
  );
}

function Saved(props: { profiles: string[] }) {
  const [name, type] = useState("");
  const save = async (e: Event) => {
    e.preventDefault();
    if (name.trim() && (await act("profile", { action: "save", name: name.trim() }))) type("");
  };
  return (
    <div class="au-saved">
      {props.profiles.length > 0 && (
        <div class="chips" role="group" aria-label={t.profiles}>
          {props.profiles.map((one) => (
            <button key={one} type="button" class="chip" onClick={() => void act("profile", { action: "use", name: one })}>
              {one}
            </button>
          ))}
        </div>
      )}
      <form onSubmit={(e) => void save(e)}>
        <input
          class="field"
          aria-label={t.saveAs}
          placeholder={t.saveAs}
          value={name}
          maxLength={60}
          onInput={(e) => type(e.currentTarget.value)}
        />
        <button class="button" type="submit" disabled={!name.trim()}>
          {t.save}
        </button>
      </form>
    </div>
  );
}
