// Makes the login form answer without leaving the page. The form also works without this.
import { kept, keep } from "../shared/storage";
import { text } from "../shared/text";

const form = document.querySelector("form") as HTMLFormElement;
const field = document.querySelector("#token") as HTMLInputElement;
const wrong = document.querySelector("#wrong") as HTMLElement;
const button = document.querySelector("button") as HTMLButtonElement;

/** The page itself; the part behind # is the place to go on at. */
const home = () => "./" + location.hash;

// A link from another site arrives without the cookie (it is SameSite=Strict). Asking again from
// here sends it, so a person who is logged in gets in; the mark is gone for one who is not.
if (kept("in")) {
  keep("in", null);
  location.replace(home());
}

async function send() {
  const answer = await fetch("login", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ token: field.value.trim() }),
  });
  if (answer.ok) return location.replace(home());
  const body = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
  wrong.textContent = body?.error?.message ?? text.api.status(answer.status);
  field.select();
}

form.addEventListener("submit", (e) => {
  e.preventDefault();
  wrong.textContent = "";
  button.disabled = true;
  send()
    .catch(() => (wrong.textContent = text.api.unreachable))
    .finally(() => (button.disabled = false));
});
