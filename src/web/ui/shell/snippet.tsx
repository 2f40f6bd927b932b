// Text to take along: shown as it is, with a button that copies it.
import { useSignal } from "@preact/signals";
import { Icon } from "../shared/icons";
import { tell } from "../shared/parts";
import { text } from "../shared/text";

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

export function Copy(props: { words: string; what: string }) {
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

export function Snippet(props: { title: string; words: string }) {
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
