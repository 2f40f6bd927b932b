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
  grant: { level: string; services: string[] };
  /** Seconds since 1970; 0 when the configuration sets it. */
  created: number;
  configured: boolean;
}

const tokens = loader<{ tokens: Token[] }>("api/web/tokens");

function Make(props: { made: (secret: string) => void }) {
  const name = useSignal("");
  const level = useSignal("control");
  const wrong = useSignal("");
  const secret = useSignal("");
  async function make() {
    wrong.value = "";
    try {
      const grant = { level: level.value };
      const made = await post<{ secret: string }>("api/web/tokens", { name: name.value.trim(), grant });
      secret.value = made.secret;
      name.value = "";
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
                {token.grant.services.length > 0 && ` · ${token.grant.services.join(", ")}`}
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
