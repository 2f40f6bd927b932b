// The question before something that should not happen by accident.
import { Dialog } from "hearth/ui";
import { asked, call } from "./house";
import { words } from "./model";
import { t } from "./text";

export function Ask() {
  const question = asked.value;
  if (!question) return null;
  const { wish, confirm } = question;
  const action = t.actions[wish.service] ?? words(wish.service);
  const close = () => (asked.value = null);
  return (
    <Dialog class="ask" label={t.ask.title} close={close}>
      <h2>{t.ask.title}</h2>
      <p>{t.ask.body(action, wish.entity.name)}</p>
      <div class="actions">
        <button
          class="button main-action"
          type="button"
          onClick={() => {
            close();
            void call({ ...wish, confirm });
          }}
        >
          {t.ask.yes}
        </button>
        <button class="button" type="button" onClick={close}>
          {t.ask.no}
        </button>
      </div>
    </Dialog>
  );
}
