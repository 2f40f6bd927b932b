// One thing of the house in a list: picture, name, state, and a switch where one fits.
import type { Signal } from "@preact/signals";
import { href, Switch } from "hearth/ui";
import { areaOf, busy, flip, keyOf } from "./house";
import { Picture } from "./icons";
import { canSwitch, isActive, isAway, say, shortName, type Entity } from "./model";
import { t } from "./text";

/** What the switch shows: what was asked for until the house has answered. */
export function isOn(e: Entity): boolean {
  const wanted = busy.value.get(keyOf(e));
  if (wanted === "turn_on") return true;
  if (wanted === "turn_off") return false;
  return e.state === "on";
}

export function Flip({ of: e }: { of: Entity }) {
  return (
    <Switch
      on={isOn(e)}
      label={t.turn(e.name)}
      busy={busy.value.has(keyOf(e))}
      flip={() => flip(e)}
    />
  );
}

/** A line of a list: the thing with a link to its details, and its switch. */
export function Line(props: { of: Entity; class: string }) {
  const e = props.of;
  const state = isAway(e) ? " away" : isActive(e) ? " active" : "";
  return (
    <li class={props.class + state}>
      <a class="tile-link" href={href("home", keyOf(e))}>
        <span class="picture">
          <Picture of={e} />
        </span>
        <span class="tile-words">
          <span class="tile-name">{shortName(e, areaOf(e)?.name ?? "")}</span>
          <span class="tile-state num">{say(e)}</span>
        </span>
      </a>
      {canSwitch(e) && <Flip of={e} />}
    </li>
  );
}

export function Tile({ of }: { of: Signal<Entity> }) {
  return <Line of={of.value} class="tile" />;
}
