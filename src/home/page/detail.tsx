// One thing in full: its controls and everything Home Assistant says about it.
import { ago, Dialog, Empty, Icon, iso, shared, when } from "hearth/ui";
import { Controls } from "./controls";
import { areaName, entities, shape } from "./house";
import { Picture } from "./icons";
import { isActive, isAway, say, words, type Entity } from "./model";
import { t } from "./text";

/** Shown elsewhere, or of use to machines alone. */
const hidden = new Set(["friendly_name", "icon", "entity_picture", "supported_features", "attribution"]);

function show(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.map(show).join(", ") || "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function Facts({ of: e }: { of: Entity }) {
  const rows = Object.entries(e.attributes).filter(([name]) => !hidden.has(name));
  return (
    <dl class="facts">
      <div>
        <dt>{t.detail.changed}</dt>
        <dd>
          <time dateTime={iso(e.changed)} title={when(e.changed)}>
            {ago(e.changed)}
          </time>
        </dd>
      </div>
      <div>
        <dt>{t.detail.area}</dt>
        <dd>{areaName(e) || t.noArea}</dd>
      </div>
      <div>
        <dt>{t.detail.id}</dt>
        <dd>
          <code>{e.id}</code>
        </dd>
      </div>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{words(name)}</dt>
          <dd>{show(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Detail(props: { of: string; close: () => void }) {
  void shape.value;
  const e = entities.get(props.of)?.value;
  return (
    <Dialog label={e?.name ?? t.detail.gone} close={props.close}>
      <div class="detail">
        <div class="detail-head">
          {e && (
            <span class={`picture ${isActive(e) && !isAway(e) ? "lit" : ""}`}>
              <Picture of={e} />
            </span>
          )}
          <div class="grow">
            <h2>{e?.name ?? t.detail.gone}</h2>
            {e && <p class="soft num">{say(e)}</p>}
          </div>
          <button class="icon-button" type="button" aria-label={shared.close} onClick={props.close}>
            <Icon name="close" />
          </button>
        </div>
        {e ? (
          <>
            <Controls of={e} />
            <section class="section" aria-label={t.detail.attributes}>
              <h3 class="soft small">{t.detail.attributes}</h3>
              <Facts of={e} />
            </section>
          </>
        ) : (
          <Empty title={t.detail.gone}>{t.detail.goneBody}</Empty>
        )}
      </div>
    </Dialog>
  );
}
