// How an assistant gets in: a token, the address, and the text to paste into each client.
import { useSignal } from "@preact/signals";
import { Chips, Head } from "../shared/parts";
import { text } from "../shared/text";
import { clients, type Client } from "./clients";
import { Copy, Snippet } from "./snippet";
import { known } from "./state";
import { Tokens } from "./tokens";

const t = text.connect;

/** How to make a token, for those who may not do it here. */
function ByCommand() {
  return (
    <>
      <p class="soft">{t.byCommand}</p>
      <Snippet title={t.make} words="hearth token new my-assistant --level control" />
    </>
  );
}

export function Connect() {
  const token = useSignal("");
  const chosen = useSignal<Client["key"]>(clients[0]?.key ?? "");
  const url = new URL("mcp", location.href.split("#")[0]).href;
  const client = clients.find((c) => c.key === chosen.value) ?? clients[0];
  const admin = known.value?.who.level === "admin";
  return (
    <>
      <Head title={t.title} lead={t.lead} />
      <ol class="steps">
        <li>
          <div class="body">
            <h2>{t.make}</h2>
            {admin ? <Tokens made={(secret) => (token.value = secret)} /> : <ByCommand />}
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
            <label class="labelled">
              <span>{t.paste}</span>
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
                  command: known.value?.command ?? "hearth mcp",
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
