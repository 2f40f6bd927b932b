// Publishing by hand: through the same gates as an assistant's call.
import { useSignal } from "@preact/signals";
import { Chips, Dialog, Icon, post, Refusal, Switch } from "hearth/ui";
import { chosen, status } from "./data";
import { t } from "./text";

type Qos = "0" | "1" | "2";

export function Publish(props: { to: string }) {
  const topic = useSignal(props.to);
  const payload = useSignal("");
  const qos = useSignal<Qos>("0");
  const retain = useSignal(false);
  const busy = useSignal(false);
  const answer = useSignal<{ good: boolean; words: string } | null>(null);
  const question = useSignal<{ confirm: string; why: string } | null>(null);
  const gates = status.value.value?.publish;

  async function send(more: Record<string, unknown>) {
    busy.value = true;
    try {
      const got = await post<Record<string, unknown>>("api/mqtt/publish", {
        topic: topic.value,
        payload: payload.value,
        qos: Number(qos.value),
        retain: retain.value,
        ...(chosen.value && { session_id: chosen.value }),
        ...more,
      });
      const words = Object.entries(got)
        .filter(([, value]) => value !== null && typeof value !== "object")
        .map(([name, value]) => `${name.replace(/_/g, " ")}: ${String(value)}`);
      answer.value = { good: true, words: words.join("\n") };
    } catch (e) {
      const why = (e as Error).message;
      const token = e instanceof Refusal && e.status === 409 ? /confirm="([^"]+)"/.exec(why)?.[1] : undefined;
      if (token) question.value = { confirm: token, why: why.split(" needs a confirmation", 1)[0] ?? "" };
      else answer.value = { good: false, words: why };
    }
    busy.value = false;
  }

  const shut = gates && (gates.read_only || !gates.level);
  return (
    <form
      class="card pad section mq-form"
      onSubmit={(e) => {
        e.preventDefault();
        void send({});
      }}
    >
      {gates && shut && (
        <div class="note">
          <Icon name="alert" />
          <div>
            <h2>{gates.level ? t.publish.readOnly : t.publish.level}</h2>
            {gates.level && <p>{t.publish.readOnlyBody}</p>}
          </div>
        </div>
      )}
      <label class="labelled">
        {t.publish.topic}
        <input
          class="field mono"
          value={topic.value}
          required
          maxLength={1000}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          onInput={(e) => (topic.value = e.currentTarget.value)}
        />
      </label>
      <label class="labelled">
        {t.publish.payload}
        <textarea
          class="field mono"
          rows={5}
          value={payload.value}
          spellcheck={false}
          onInput={(e) => (payload.value = e.currentTarget.value)}
        />
      </label>
      <Chips
        label={t.publish.qos}
        all={(["0", "1", "2"] as const).map((key) => ({ key, name: t.publish.levels[key] }))}
        chosen={qos.value}
        choose={(key) => (qos.value = key)}
      />
      <div class="mq-switch">
        <Switch
          on={retain.value}
          label={t.publish.retain}
          disabled={gates?.retained === false}
          flip={() => (retain.value = !retain.value)}
        />
        <span class={gates?.retained === false ? "soft" : ""}>{t.publish.retain}</span>
      </div>
      {gates?.retained === false && <p class="small soft">{t.publish.noRetained}</p>}
      <div class="actions">
        <button class="button main-action" type="submit" disabled={busy.value || shut}>
          {t.publish.send}
        </button>
        <button
          class="button"
          type="button"
          disabled={busy.value || gates?.level === false || !topic.value}
          onClick={() => void send({ dry_run: true })}
        >
          {t.publish.dry}
        </button>
      </div>
      {answer.value && (
        <div class={answer.value.good ? "note" : "note bad"} role="status">
          <div>
            <h2>{t.publish.answer}</h2>
            <p class="mq-answer">{answer.value.words}</p>
          </div>
        </div>
      )}
      {question.value && (
        <Dialog class="ask" label={t.publish.sure} close={() => (question.value = null)}>
          <h2>{t.publish.sure}</h2>
          <p>{question.value.why}</p>
          <div class="actions">
            <button
              class="button main-action"
              type="button"
              onClick={() => {
                const confirm = question.value?.confirm;
                question.value = null;
                void send({ confirm });
              }}
            >
              {t.publish.yes}
            </button>
            <button class="button" type="button" onClick={() => (question.value = null)}>
              {t.publish.no}
            </button>
          </div>
        </Dialog>
      )}
    </form>
  );
}
