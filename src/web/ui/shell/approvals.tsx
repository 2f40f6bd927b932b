// What waits for a person's word, the rules that came of it, and what quotas leave.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { post } from "../shared/api";
import { loader } from "../shared/load";
import { Chips, Empty, Failed, Head, Loading, tell } from "../shared/parts";
import { text } from "../shared/text";
import { clock, hms, iso, when } from "../shared/time";
import { known } from "./state";
import { approvals, pending, type Approval } from "./waiting";

const t = text.approvals;

interface Rule {
  id: string;
  tool: string;
  token: string;
  target: string | null;
  verdict: string;
  until: number | null;
  made: number;
  by: string;
}
interface Usage {
  tool: string;
  who: string | null;
  /** The limit (0: none), and how many are left. */
  per_minute: [number, number];
  /** The limit (0: none), and how many run. */
  at_once: [number, number];
  /** The limit (0: none), and how many were made. */
  per_day: [number, number];
}

const rules = loader<{ rules: Rule[] }>("api/policy/rules");
const quotas = loader<{ quotas: Usage[] }>("api/policy/quotas");

const isAdmin = () => known.value?.who.level === "admin";

/** How long an answer is remembered, in seconds; 0 for ever, null not at all. */
const lengths: Record<string, number | null> = { once: null, hour: 3_600, day: 86_400, ever: 0 };

function Question(props: { of: Approval }) {
  const { id, who, action, target, until, by_person } = props.of;
  const length = useSignal("once");
  const whole = useSignal(false);
  const busy = useSignal(false);
  async function answer(word: "allow" | "deny") {
    const seconds = lengths[length.value];
    const more =
      seconds == null ? {} : { remember: true, whole: whole.value, ...(seconds && { seconds }) };
    busy.value = true;
    try {
      await post("api/policy/approvals", { id, answer: word, ...more });
    } catch (e) {
      tell((e as Error).message);
    }
    busy.value = false;
    await Promise.all([approvals.again(), rules.again()]);
  }
  return (
    <li class="card pad question" aria-label={t.wants(who, action)}>
      <h3>{t.wants(who, action)}</h3>
      <pre class="what" tabIndex={0}>{target}</pre>
      <p class="small soft">
        {by_person ? t.byPerson : t.byAssistant}{" "}
        <time dateTime={iso(until)} title={when(until)}>
          {t.until(hms(until))}
        </time>
      </p>
      {isAdmin() && (
        <>
          <Chips
            label={t.remember}
            all={Object.keys(lengths).map((key) => ({ key, name: t.lengths[key] ?? key }))}
            chosen={length.value}
            choose={(key) => (length.value = key)}
          />
          {length.value !== "once" && (
            <label class="check">
              <input
                type="checkbox"
                checked={whole.value}
                onChange={(e) => (whole.value = e.currentTarget.checked)}
              />
              {t.whole(action)}
            </label>
          )}
          <div class="actions">
            <button
              class="button main-action"
              type="button"
              disabled={busy.value}
              onClick={() => void answer("allow")}
            >
              {t.allow}
            </button>
            <button
              class="button"
              type="button"
              disabled={busy.value}
              onClick={() => void answer("deny")}
            >
              {t.deny}
            </button>
          </div>
        </>
      )}
    </li>
  );
}

function Questions() {
  if (!approvals.value.value) {
    const why = approvals.error.value;
    return why ? <Failed why={why} again={() => void approvals.again()} /> : <Loading rows={3} />;
  }
  const all = pending.value;
  if (!all.length) return <Empty title={t.none}>{t.noneBody}</Empty>;
  return (
    <ul class="questions" aria-label={t.questions}>
      {all.map((one) => (
        <Question key={one.id} of={one} />
      ))}
    </ul>
  );
}

function Rules() {
  const all = rules.value.value?.rules;
  if (!all) {
    const why = rules.error.value;
    return why ? <Failed why={why} again={() => void rules.again()} /> : <Loading rows={2} />;
  }
  async function remove(id: string) {
    try {
      await post("api/policy/rules", { id }, "DELETE");
    } catch (e) {
      tell((e as Error).message);
    }
    void rules.again();
  }
  const now = clock.value / 1000;
  const shown = all.filter((rule) => rule.until === null || rule.until > now);
  if (!shown.length) return <Empty title={t.noRules}>{t.noRulesBody}</Empty>;
  return (
    <ul class="card rows" aria-label={t.rules}>
      {shown.map((rule) => (
        <li key={rule.id}>
          <div class="grow">
            <p>
              <strong>{rule.tool}</strong> {rule.target && <code>{rule.target.slice(0, 80)}</code>}
            </p>
            <p class="small soft">
              {t.for(rule.token)}
              {rule.until !== null && ` · ${t.ends(hms(rule.until))}`}
              {` · ${t.madeBy(rule.by)}`}
            </p>
          </div>
          <span class={`tag ${{ deny: "denied", ask: "asked" }[rule.verdict] ?? ""}`}>
            {t.verdicts[rule.verdict] ?? rule.verdict}
          </span>
          <button
            class="button quiet"
            type="button"
            aria-label={`${t.remove}: ${t.verdicts[rule.verdict]} ${rule.tool}`}
            onClick={() => void remove(rule.id)}
          >
            {t.remove}
          </button>
        </li>
      ))}
    </ul>
  );
}

function Quotas() {
  const all = quotas.value.value?.quotas ?? [];
  if (!all.length) return null;
  return (
    <div class="section">
      <h2>{t.quotas}</h2>
      <ul class="card rows" aria-label={t.quotas}>
        {all.map((one, i) => (
          <li key={i}>
            <div class="grow">
              <p>
                <strong>{one.tool}</strong> {one.who ?? t.together}
              </p>
              <p class="small soft num">
                {[
                  one.per_minute[0] && t.perMinute(...one.per_minute),
                  one.at_once[0] && t.atOnce(...one.at_once),
                  one.per_day[0] && t.perDay(...one.per_day),
                ]
                  .filter(Boolean)
                  .join(" · ")}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Approvals() {
  useEffect(() => {
    void approvals.again();
    void quotas.again();
  }, []);
  const admin = isAdmin();
  useEffect(() => {
    if (admin) void rules.again();
  }, [admin]);
  return (
    <>
      <Head title={t.title} lead={admin ? t.lead : t.leadOwn} />
      <div class="section">
        <h2>{t.questions}</h2>
        <Questions />
      </div>
      {admin && (
        <div class="section">
          <h2>{t.rules}</h2>
          <Rules />
        </div>
      )}
      <Quotas />
    </>
  );
}
