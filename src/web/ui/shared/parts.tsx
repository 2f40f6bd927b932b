// Parts that every page uses: the states of a list, switches, dialogs, messages.
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icons";
import { text } from "./text";

type Children = { children?: ComponentChildren };

/** Title, one sentence and what stands on the right of them. */
export function Head(props: { title: string; lead?: ComponentChildren } & Children) {
  return (
    <header class="head">
      <div>
        <h1>{props.title}</h1>
        {props.lead && <p class="lead">{props.lead}</p>}
      </div>
      {props.children}
    </header>
  );
}

/** Nothing to show, and why that is fine or what to do. */
export function Empty(props: { title: string } & Children) {
  return (
    <div class="note">
      <Icon name="empty" />
      <div>
        <h3>{props.title}</h3>
        <div>{props.children}</div>
      </div>
    </div>
  );
}

/** Something failed; says what, and offers another try. */
export function Failed(props: { why: string; title?: string; again?: () => void }) {
  return (
    <div class="note bad" role="alert">
      <Icon name="alert" />
      <div>
        <h3>{props.title ?? text.failed}</h3>
        <p>{props.why}</p>
        {props.again && (
          <button class="button" type="button" onClick={props.again}>
            {text.again}
          </button>
        )}
      </div>
    </div>
  );
}

/** Room for what is being loaded. */
export function Loading(props: { rows?: number }) {
  return (
    <div class="card pad" aria-busy="true">
      {Array.from({ length: props.rows ?? 4 }, (_, i) => (
        <div key={i} class="ghost line" style={{ width: `${88 - ((i * 23) % 45)}%` }} />
      ))}
    </div>
  );
}

export function Switch(props: {
  on: boolean;
  label: string;
  busy?: boolean | undefined;
  disabled?: boolean | undefined;
  flip: () => void;
}) {
  return (
    <button
      type="button"
      role="switch"
      class="switch"
      aria-checked={props.on}
      aria-label={props.label}
      aria-busy={props.busy ?? false}
      disabled={props.disabled}
      onClick={props.flip}
    />
  );
}

/** A row of chips of which one is chosen; arrow keys are not needed, each is a button. */
export function Chips<K extends string>(props: {
  label: string;
  all: { key: K; name: string; count?: number }[];
  chosen: K;
  choose: (key: K) => void;
  /** Long rows scroll sideways on phones in place of taking several lines. */
  oneLine?: boolean;
}) {
  return (
    <div class={props.oneLine ? "chips one-line" : "chips"} role="group" aria-label={props.label}>
      {props.all.map((chip) => (
        <button
          key={chip.key}
          type="button"
          class="chip"
          aria-pressed={chip.key === props.chosen}
          onClick={() => props.choose(chip.key)}
        >
          {chip.name}
          {chip.count !== undefined && <span class="num">{chip.count}</span>}
        </button>
      ))}
    </div>
  );
}

export function Search(props: { label: string; value: string; type: (value: string) => void }) {
  return (
    <div class="search">
      <Icon name="search" />
      <input
        class="field"
        type="search"
        aria-label={props.label}
        placeholder={props.label}
        value={props.value}
        autocomplete="off"
        spellcheck={false}
        onInput={(e) => props.type(e.currentTarget.value)}
      />
    </div>
  );
}

/** The browser's own modal dialog: focus stays inside, Escape and a click beside it close. */
export function Dialog(
  props: { label: string; class?: string; close: () => void } & Children,
): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.class}
      aria-label={props.label}
      onCancel={(e) => {
        e.preventDefault();
        props.close();
      }}
      onClick={(e) => {
        if (e.target === ref.current) props.close();
      }}
    >
      {props.children}
    </dialog>
  );
}

interface Toast {
  id: number;
  words: string;
}
const toasts = signal<Toast[]>([]);
let counted = 0;
const STAYS = 8_000;

/** Tells the person something that needs no answer. At most three stand at once. */
export function tell(words: string) {
  const id = ++counted;
  toasts.value = [...toasts.value.slice(-2), { id, words }];
  setTimeout(() => drop(id), STAYS);
}

function drop(id: number) {
  toasts.value = toasts.value.filter((t) => t.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((t) => (
        <div class="toast" key={t.id}>
          <p>{t.words}</p>
          <button class="icon-button" type="button" aria-label={text.dismiss} onClick={() => drop(t.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
