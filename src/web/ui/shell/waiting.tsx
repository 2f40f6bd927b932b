// What waits for an answer, known on every page, so that nobody has to look for it.
import { computed } from "@preact/signals";
import { on, onGap } from "../shared/live";
import { loader } from "../shared/load";
import { href, pageName } from "../shared/route";
import { text } from "../shared/text";
import { clock } from "../shared/time";
import { known } from "./state";

export interface Approval {
  id: string;
  at: number;
  /** Until when it can be answered, seconds since 1970. */
  until: number;
  who: string;
  via: string;
  action: string;
  target: string;
  /** Only a person's answer counts. */
  by_person: boolean;
  state: string;
  by: string | null;
}

export const approvals = loader<{ approvals: Approval[] }>("api/policy/approvals");
export const pending = computed(() => {
  const now = clock.value / 1000;
  const all = approvals.value.value?.approvals ?? [];
  return all.filter((one) => one.state === "pending" && one.until > now);
});

on("approval", () => void approvals.again());
onGap(() => void approvals.again());
void approvals.again();

/** A line above every other page while something waits for whoever may answer it. */
export function Waiting() {
  const count = pending.value.length;
  if (!count || pageName.value === "approvals" || known.value?.who.level !== "admin") return null;
  return (
    <p class="waiting" role="status">
      <a href={href("approvals")}>{text.approvals.waiting(count)}</a>
    </p>
  );
}
