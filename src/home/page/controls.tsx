// What can be done with one thing, by its domain.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Chips } from "hearth/ui";
import { busy, call, keyOf } from "./house";
import { canSwitch, degrees, domainOf, isAway, number, words, type Entity } from "./model";
import { t } from "./text";
import { Flip } from "./tile";

type Of = { of: Entity };

function run(e: Entity, service: string, data?: Record<string, unknown>, domain = domainOf(e.id)) {
  void call({ entity: e, domain, service, ...(data && { data }) });
}

function Buttons(props: Of & { services: string[]; off?: string[] }) {
  return (
    <div class="buttons">
      {props.services.map((service) => (
        <button
          key={service}
          class="button"
          type="button"
          disabled={busy.value.has(keyOf(props.of)) || props.off?.includes(service)}
          onClick={() => run(props.of, service)}
        >
          {t.actions[service] ?? words(service)}
        </button>
      ))}
    </div>
  );
}

/** A slider that asks the house when it is let go, and follows the house otherwise. */
function Slide(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  show: (value: number) => string;
  set: (value: number) => void;
}) {
  const at = useSignal(props.value);
  const held = useSignal(false);
  useEffect(() => {
    if (!held.peek()) at.value = props.value;
  }, [props.value]);
  return (
    <label class="slide">
      <span>
        <span>{props.label}</span>
        <span class="num soft">{props.show(at.value)}</span>
      </span>
      <input
        type="range"
        min={props.min}
        max={props.max}
        step={props.step ?? 1}
        value={at.value}
        aria-valuetext={props.show(at.value)}
        style={{ "--fill": `${((at.value - props.min) / (props.max - props.min || 1)) * 100}%` }}
        onInput={(e) => {
          held.value = true;
          at.value = e.currentTarget.valueAsNumber;
        }}
        onChange={(e) => {
          held.value = false;
          props.set(e.currentTarget.valueAsNumber);
        }}
      />
    </label>
  );
}

function Light({ of: e }: Of) {
  const a = e.attributes;
  const modes = Array.isArray(a.supported_color_modes) ? (a.supported_color_modes as string[]) : [];
  const dims = modes.some((m) => m !== "onoff");
  const [min, max] = [number(a.min_color_temp_kelvin) ?? 2000, number(a.max_color_temp_kelvin) ?? 6500];
  const bright = e.state === "on" ? Math.round(((number(a.brightness) ?? 255) / 255) * 100) : 0;
  return (
    <>
      {dims && (
        <Slide
          label={t.detail.brightness}
          value={bright}
          min={0}
          max={100}
          show={(v) => `${v} %`}
          set={(v) => (v === 0 ? run(e, "turn_off") : run(e, "turn_on", { brightness_pct: v }))}
        />
      )}
      {modes.includes("color_temp") && e.state === "on" && (
        <Slide
          label={t.detail.warmth}
          value={number(a.color_temp_kelvin) ?? Math.round((min + max) / 2)}
          min={min}
          max={max}
          step={50}
          show={(v) => `${v} K`}
          set={(v) => run(e, "turn_on", { color_temp_kelvin: v })}
        />
      )}
    </>
  );
}

function Climate({ of: e }: Of) {
  const a = e.attributes;
  const wanted = number(a.temperature);
  const step = number(a.target_temp_step) ?? 0.5;
  const modes = Array.isArray(a.hvac_modes) ? (a.hvac_modes as string[]) : [];
  const move = (by: number) => run(e, "set_temperature", { temperature: Math.round(((wanted ?? 20) + by) * 10) / 10 });
  return (
    <>
      {wanted !== null && (
        <div class="stepper" role="group" aria-label={t.detail.target}>
          <button class="button" type="button" aria-label={t.detail.cooler} onClick={() => move(-step)}>
            −
          </button>
          <output class="num">{degrees(wanted)}</output>
          <button class="button" type="button" aria-label={t.detail.warmer} onClick={() => move(step)}>
            +
          </button>
        </div>
      )}
      {modes.length > 1 && (
        <Chips
          label={t.detail.mode}
          all={modes.map((m) => ({ key: m, name: t.states[m] ?? words(m) }))}
          chosen={e.state}
          choose={(hvac_mode) => run(e, "set_hvac_mode", { hvac_mode })}
        />
      )}
    </>
  );
}

function Cover({ of: e }: Of) {
  const at = number(e.attributes.current_position);
  return (
    <>
      <Buttons
        of={e}
        services={["open_cover", "stop_cover", "close_cover"]}
        off={e.state === "closed" ? ["close_cover"] : at === 100 || (at === null && e.state === "open") ? ["open_cover"] : []}
      />
      {at !== null && (
        <Slide
          label={t.detail.position}
          value={at}
          min={0}
          max={100}
          show={(v) => `${v} %`}
          set={(position) => run(e, "set_cover_position", { position })}
        />
      )}
    </>
  );
}

function Player({ of: e }: Of) {
  const volume = number(e.attributes.volume_level);
  const off = e.state === "off";
  return (
    <>
      <Buttons
        of={e}
        services={off ? ["turn_on"] : [e.state === "playing" ? "media_pause" : "media_play", "media_next_track", "turn_off"]}
      />
      {volume !== null && !off && (
        <Slide
          label={t.detail.volume}
          value={Math.round(volume * 100)}
          min={0}
          max={100}
          show={(v) => `${v} %`}
          set={(v) => run(e, "volume_set", { volume_level: v / 100 })}
        />
      )}
    </>
  );
}

function Value({ of: e }: Of) {
  const a = e.attributes;
  const unit = typeof a.unit_of_measurement === "string" ? ` ${a.unit_of_measurement}` : "";
  return (
    <Slide
      label={t.detail.value}
      value={Number(e.state) || 0}
      min={number(a.min) ?? 0}
      max={number(a.max) ?? 100}
      step={number(a.step) ?? 1}
      show={(v) => `${v}${unit}`}
      set={(value) => run(e, "set_value", { value })}
    />
  );
}

function Choice({ of: e }: Of) {
  const options = Array.isArray(e.attributes.options) ? (e.attributes.options as string[]) : [];
  return (
    <Chips
      label={t.detail.choice}
      all={options.map((key) => ({ key, name: words(key) }))}
      chosen={e.state}
      choose={(option) => run(e, "select_option", { option })}
    />
  );
}

function Fan({ of: e }: Of) {
  const speed = number(e.attributes.percentage);
  if (speed === null || e.state !== "on") return null;
  return (
    <Slide
      label={t.detail.speed}
      value={speed}
      min={0}
      max={100}
      step={number(e.attributes.percentage_step) ?? 1}
      show={(v) => `${Math.round(v)} %`}
      set={(percentage) => run(e, "set_percentage", { percentage })}
    />
  );
}

function Own({ of: e }: Of) {
  switch (domainOf(e.id)) {
    case "light":
      return <Light of={e} />;
    case "climate":
      return <Climate of={e} />;
    case "cover":
      return <Cover of={e} />;
    case "lock":
      return <Buttons of={e} services={[e.state === "locked" ? "unlock" : "lock"]} />;
    case "media_player":
      return <Player of={e} />;
    case "fan":
      return <Fan of={e} />;
    case "number":
    case "input_number":
      return <Value of={e} />;
    case "select":
    case "input_select":
      return <Choice of={e} />;
    case "button":
    case "input_button":
      return <Buttons of={e} services={["press"]} />;
    case "scene":
    case "script":
      return <Buttons of={e} services={["turn_on"]} />;
    case "vacuum":
      return <Buttons of={e} services={["start", "return_to_base"]} />;
    default:
      return null;
  }
}

const handled = new Set(["light", "climate", "cover", "lock", "media_player", "fan", "number", "input_number", "select", "input_select", "button", "input_button", "scene", "script", "vacuum"]);

export function Controls({ of: e }: Of) {
  if (isAway(e) || (!canSwitch(e) && !handled.has(domainOf(e.id)))) return null;
  return (
    <div class="controls">
      {canSwitch(e) && (
        <div class="control-switch">
          <span>{t.states[e.state] ?? words(e.state)}</span>
          <Flip of={e} />
        </div>
      )}
      <Own of={e} />
    </div>
  );
}
