// The messages as they arrive, with a filter and a pause.
import { useComputed, useSignal } from "@preact/signals";
import { Empty, Failed, hms, href, Icon, iso, Loading, Search, when } from "hearth/ui";
import { useEffect } from "preact/hooks";
import { address, chosen, follow, topicOf, type Message } from "./data";
import { short } from "./payload";
import { size, t } from "./text";

/** Messages on the page; older ones go. */
const MOST = 200;
/** A filter is asked for once nobody typed for so long. */
const TYPED = 350;

/** Everything but what a broker says about itself ($SYS), which would drown the rest. */
const USUAL = "#";

export function Line({ of: m }: { of: Message }) {
  return (
    <li class="mq-line">
      <time class="num small soft" dateTime={iso(m.at)} title={when(m.at)}>
        {hms(m.at)}
      </time>
      <a class="mq-name" href={href("mqtt", `=${topicOf(m)}`)}>
        {m.topic}
      </a>
      {m.retained && (
        <span class="tag" title={t.topics.retainedTitle}>
          {t.topics.retained}
        </span>
      )}
      <span class="mq-value mono">{short(m.payload)}</span>
      <span class="small soft num mq-size">{size(m.size)}</span>
    </li>
  );
}

export function Messages() {
  const typed = useSignal("");
  const filter = useSignal("");
  const all = useSignal<Message[] | null>(null);
  const held = useSignal<Message[] | null>(null);
  const since = useSignal(0);
  const skipped = useSignal(0);
  const lost = useSignal<number | null | undefined>(undefined);
  const failed = useSignal<string | null>(null);
  const shown = useComputed(() => held.value ?? all.value);

  useEffect(() => {
    const timer = setTimeout(() => (filter.value = typed.value.trim()), TYPED);
    return () => clearTimeout(timer);
  }, [typed.value]);
  useEffect(() => {
    all.value = held.value = null;
    since.value = skipped.value = 0;
    lost.value = undefined;
    return follow(filter.value || USUAL, {
      take: (messages, more) => {
        // A stream that begins again gives the newest once more.
        const newest = all.peek()?.[0]?.number ?? 0;
        const fresh = messages.filter((m) => m.number > newest).reverse();
        all.value = [...fresh, ...(all.peek() ?? [])].slice(0, MOST);
        skipped.value += more;
        if (held.peek()) since.value += fresh.length + more;
      },
      lost: (count) => {
        lost.value = count === null || lost.peek() === null ? null : (lost.peek() ?? 0) + count;
      },
      failed: (why) => (failed.value = why),
    });
  }, [filter.value, chosen.value]);

  const flip = () => {
    held.value = held.value ? null : all.value;
    since.value = 0;
  };
  const list = shown.value;
  return (
    <>
      <div class="mq-bar">
        <Search label={t.messages.filter} value={typed.value} type={(v) => (typed.value = v)} />
        <button class="button" type="button" aria-pressed={held.value !== null} onClick={flip}>
          {held.value ? t.messages.go : t.messages.pause}
        </button>
        <a class="button" href={address("export", { filter: filter.value || USUAL })} download>
          {t.messages.export}
        </a>
      </div>
      <div role="status" class="small soft mq-said">
        {held.value && <p>{t.messages.paused(since.value)}</p>}
        {skipped.value > 0 && <p>{t.messages.skipped(skipped.value)}</p>}
        {lost.value !== undefined && <p class="wrong">{t.messages.lost(lost.value)}</p>}
      </div>
      {failed.value && <Failed title={t.messages.stopped} why={failed.value} />}
      {!list && !failed.value && <Loading rows={6} />}
      {list?.length === 0 && (
        <Empty title={t.messages.waiting}>
          <p>{t.messages.waitingBody}</p>
        </Empty>
      )}
      {list && list.length > 0 && (
        <ul class="card mq-lines">
          {list.map((m) => (
            <Line key={m.number} of={m} />
          ))}
        </ul>
      )}
      {!list && failed.value && <Icon name="alert" />}
    </>
  );
}
