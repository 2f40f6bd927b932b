// How an assistant gets in: a token, the address, and the text to paste into each client.
import { useSignal } from "@preact/signals";
import { Icon } from "../shared/icons";
import { Chips, Head, tell } from "../shared/parts";
import { text } from "../shared/text";
import { clients, type Client } from "./clients";

const t = text.connect;

/** Copies, also where the browser has no clipboard because the page came over plain HTTP. */
async function copy(words: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = words;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function Copy(props: { words: string; what: string }) {
  const done = useSignal(false);
  async function run() {
    if (!(await copy(props.words))) return tell(t.copyFailed);
    done.value = true;
    setTimeout(() => (done.value = false), 2_000);
  }
  return (
    <button
      class="button quiet"
      type="button"
      aria-label={`${t.copy}: ${props.what}`}
      onClick={() => void run()}
    >
      <Icon name={done.value ? "check" : "copy"} />
      <span aria-live="polite">{done.value ? t.copied : t.copy}</span>
    </button>
  );
}

function Snippet(props: { title: string; words: string }) {
  return (
    <div class="card snippet">
      <div class="snippet-head">
        <span class="small soft">{props.title}</span>
        <Copy words={props.words} what={props.title} />
      </div>
      <pre tabIndex={0} aria-label={props.title}>
        {props.words}
      </pre>
    </div>
  );
}

export function Connect() {
  const token = useSignal("");
  const chosen = useSignal<Client["key"]>(clients[0]?.key ?? "");
  const url = new URL("mcp", location.href.split("#")[0]).href;
  const client = clients.find((c) => c.key === chosen.value) ?? clients[0];
  const level = useSignal("control");
  const command = `hearth token new my-assistant --level ${level.value}`;
  return (
    <>
      <Head title={t.title} lead={t.lead} />
      <ol class="steps">
        <li>
          <div class="body">
            <h2>{t.make}</h2>
            <p class="soft">{t.makeBody}</p>
            <Chips
              label={t.make}
              all={["read", "control", "admin"].map((key) => ({ key, name: t.makeOne(key) }))}
              chosen={level.value}
              choose={(key) => (level.value = key)}
            />
            <Snippet title={t.make} words={command} />
          </div>
        </li>
        <li>
          <div class="body">
            <h2>{t.address}</h2>
            <div class="card address">
              <code>{url}</code>
              <Copy words={url} what={t.address} />
            </div>
            <p class="soft small">{t.addressBody}</p>
          </div>
        </li>
        <li>
          <div class="body">
            <h2>{t.client}</h2>
            <Chips
              label={t.clients}
              all={clients.map((c) => ({ key: c.key, name: c.name }))}
              chosen={chosen.value}
              choose={(key) => (chosen.value = key)}
            />
            <label>
              <span class="small">{t.paste}</span>
              <input
                class="field mono"
                type="password"
                autocomplete="off"
                value={token.value}
                onInput={(e) => (token.value = e.currentTarget.value.trim())}
              />
            </label>
            <p class="small soft">{t.pasteHint}</p>
            {client && (
              <Snippet
                title={client.where}
                words={client.words({
                  url,
                  token: token.value || t.placeholder,
                  host: location.hostname,
                })}
              />
            )}
            {client?.note && <p class="small soft">{client.note}</p>}
          </div>
        </li>
      </ol>
    </>
  );
}
