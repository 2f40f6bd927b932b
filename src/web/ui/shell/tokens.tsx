// The tokens of this house: who has one, making another, taking one back. For admins.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { post } from "../shared/api";
import { loader } from "../shared/load";
import { Chips, Dialog, Failed, Loading, tell } from "../shared/parts";
import { text } from "../shared/text";
import { ago, iso, when } from "../shared/time";
import { Snippet } from "./snippet";
import { known } from "./state";

const t = text.connect;

interface Token {
  name: string;
  grant: {
    level: string;
    services: string[];
    entities: { exposed_only: boolean; areas: string[]; labels: string[]; deny: string[] };
  };
  /** Seconds since 1970; 0 when the configuration sets it. */
  created: number;
  configured: boolean;
}

const tokens = loader<{ tokens: Token[] }>("api/web/tokens");

const words = (list: string) =>
  list
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);

/** What narrows a token, each part in a few words. */
function limits({ services, entities }: Token["grant"]): string[] {
  const lists = [
    ["", services],
    [`${t.limit.areas}: `, entities.areas],
    [`${t.limit.labels}: `, entities.labels],
    [`${t.limit.deny}: `, entities.deny],
  ] as const;
  const parts = lists.filter(([, list]) => list.length).map(([name, list]) => name + list.join(", "));
  return entities.exposed_only ? [...parts, t.limit.exposed] : parts;
}

/** A field for ids, behind its label. */
function Ids(props: { label: string; placeholder: string; of: { value: string } }) {
  return (
    <label class="labelled">
      <span>{props.label}</span>
      <input
        class="field"
        autocomplete="off"
        placeholder={props.placeholder}
        value={props.of.value}
        onInput={(e) => (props.of.value = e.currentTarget.value)}
      />
    </label>
  );
}

function Make(props: { made: (secret: string) => void }) {
  const name = useSignal("");
  const level = useSignal("control");
  const wrong = useSignal("");
  const secret = useSignal("");
  const areas = useSignal("");
  const labels = useSignal("");
  const exposed = useSignal(false);
  const warnings = useSignal<string[]>([]);
  async function make() {
    wrong.value = "";
    try {
      const entities = {
        areas: words(areas.value),
        labels: words(labels.value),
        exposed_only: exposed.value,
      };
      const grant = { level: level.value, entities };
      const asked = { name: name.value.trim(), grant };
      const made = await post<{ secret: string; warnings?: string[] }>("api/web/tokens", asked);
      secret.value = made.secret;
      warnings.value = made.warnings ?? [];
      // The next one is no part of this one's limits.
      name.value = areas.value = labels.value = "";
      exposed.value = false;
      props.made(made.secret);
      void tokens.again();
    } catch (e) {
      wrong.value = (e as Error).message;
    }
  }
  return (
    <>
      <form
        class="make"
        onSubmit={(e) => {
          e.preventDefault();
          void make();
        }}
      >
        <label class="labelled">
          <span>{t.name}</span>
          <input
            class="field"
            required
            maxLength={40}
            autocomplete="off"
            placeholder={t.namePlaceholder}
            value={name.value}
            aria-describedby="token-wrong"
            onInput={(e) => (name.value = e.currentTarget.value)}
          />
        </label>
        <Chips
          label={t.level}
          all={["read", "control", "admin"].map((key) => ({ key, name: t.may(key) }))}
          chosen={level.value}
          choose={(key) => (level.value = key)}
        />
        <details class="limits">
          <summary>{t.limits}</summary>
          <p class="small soft">{t.limitsBody}</p>
          <Ids label={t.areas} placeholder={t.areasPlaceholder} of={areas} />
          <Ids label={t.labels} placeholder={t.labelsPlaceholder} of={labels} />
          <label class="check">
            <input
              type="checkbox"
              checked={exposed.value}
              onChange={(e) => (exposed.value = e.currentTarget.checked)}
            />
            {t.exposed}
          </label>
        </details>
        <p class="wrong" id="token-wrong" role="alert">
          {wrong.value}
        </p>
        <button class="button main-action" type="submit">
          {t.make}
        </button>
      </form>
      {secret.value && (
        <div role="status">
          <Snippet title={t.once} words={secret.value} />
          {warnings.value.map((warning) => (
            <p class="wrong" key={warning}>
              {warning}
            </p>
          ))}
        </div>
      )}
    </>
  );
}

function Revoke(props: { name: string; close: () => void }) {
  async function revoke() {
    props.close();
    try {
      await post("api/web/tokens", { name: props.name }, "DELETE");
    } catch (e) {
      tell((e as Error).message);
    }
    void tokens.again();
  }
  return (
    <Dialog class="ask" label={t.revokeTitle(props.name)} close={props.close}>
      <h2>{t.revokeTitle(props.name)}</h2>
      <p>{t.revokeBody}</p>
      <div class="actions">
        <button class="button main-action" type="button" onClick={() => void revoke()}>
          {t.revoke}
        </button>
        <button class="button" type="button" onClick={props.close}>
          {t.keep}
        </button>
      </div>
    </Dialog>
  );
}

function List() {
  const going = useSignal("");
  const all = tokens.value.value?.tokens;
  if (!all) {
    const why = tokens.error.value;
    return why ? <Failed why={why} again={() => void tokens.again()} /> : <Loading rows={2} />;
  }
  const me = known.value?.who.name;
  return (
    <>
      <ul class="card rows" aria-label={t.tokens}>
        {all.map((token) => (
          <li key={token.name}>
            <div class="grow">
              <p>
                <strong>{token.name}</strong> {token.name === me && <span class="tag">{t.you}</span>}
              </p>
              <p class="small soft">
                {text.who(token.grant.level)}
                {limits(token.grant).map((limit) => ` · ${limit}`)}
                {" · "}
                {token.configured ? (
                  t.configured
                ) : (
                  <time dateTime={iso(token.created)} title={when(token.created)}>
                    {t.since(ago(token.created))}
                  </time>
                )}
              </p>
            </div>
            {!token.configured && (
              <button
                class="button quiet"
                type="button"
                aria-label={`${t.revoke}: ${token.name}`}
                onClick={() => (going.value = token.name)}
              >
                {t.revoke}
              </button>
            )}
          </li>
        ))}
      </ul>
      {going.value && <Revoke name={going.value} close={() => (going.value = "")} />}
    </>
  );
}

export function Tokens(props: { made: (secret: string) => void }) {
  useEffect(() => void tokens.again(), []);
  return (
    <>
      <p class="soft">{t.makeBody}</p>
      <Make made={props.made} />
      <h3 class="soft small">{t.tokens}</h3>
      <List />
    </>
  );
}
