// Approvals in a real browser: an assistant asks, the person answers, rules come of it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Hearth, launch, login, resident, until, visitor } from "./harness.mjs";

let hearth;
let browser;
let tablet;
before(async () => {
  const toml = '[policy]\napproval_wait_seconds = 50\n[[policy.quotas]]\ntool = "home_call"\nper_day = 400\n';
  [hearth, browser] = await Promise.all([Hearth.start("demo", {}, toml), launch()]);
  const grant = { level: "control" };
  tablet = (await hearth.ask("api/web/tokens", { name: "tablet", grant })).secret;
  await hearth.ask("api/policy/rules", { tool: "home_call", token: "tablet", verdict: "ask" });
});
after(async () => {
  await browser?.close();
  await hearth?.stop();
});

const LAMP = "light.floor_lamp";

/** Calls the tool as the assistant with the tablet's token; ends when the call does. */
async function assistant(service, id) {
  const call = { name: "home_call", arguments: { service, target: { entity_id: id } } };
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const answer = await fetch(hearth.url + "mcp", {
    method: "POST",
    headers: {
      authorization: `Bearer ${tablet}`,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "home_call",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { ...call, _meta: meta } }),
  });
  return answer.text();
}

const question = (page) => page.locator(".question");
const state = async () => (await hearth.entity(LAMP)).state;

test("what an assistant asks stands on the page at once, and a click lets it go on", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await hearth.call("light.turn_off", LAMP);
  await page.goto(hearth.url + "#/home");
  const call = assistant("light.turn_on", LAMP);
  // On whatever page the person is.
  await page.getByRole("link", { name: "1 approval waits for your answer" }).click();
  await page.getByRole("heading", { name: "Approvals", level: 1 }).waitFor();
  await question(page).getByText("tablet wants to use home_call").waitFor();
  await question(page).getByText(LAMP).waitFor();
  assert.equal(await state(), "off");
  await question(page).getByRole("button", { name: "Allow" }).click();
  assert.match(await call, /verified/);
  assert.equal(await state(), "on");
  await page.getByText("Nothing waits for an answer").waitFor();
  await page.getByText(/of 400 today/).first().waitFor();
  faults.check();
  await context.close();
});

test("a no is told to the assistant and remembered when the person wants that", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/approvals");
  const call = assistant("light.turn_off", LAMP);
  await question(page).getByRole("button", { name: "For an hour" }).click();
  await question(page).getByRole("button", { name: "Deny" }).click();
  assert.match(await call, /said no/);
  const rules = page.getByRole("list", { name: "Rules" });
  await rules.getByText(/for tablet · until .* · made by configured/).waitFor();
  assert.match(await assistant("light.turn_off", LAMP), /a rule of this Hearth/);
  // Another aim is asked about as before.
  const other = assistant("light.toggle", LAMP);
  await question(page).getByRole("button", { name: "For ever" }).click();
  await question(page).getByLabel(/For everything that home_call can do/).check();
  await question(page).getByRole("button", { name: "Allow" }).click();
  assert.match(await other, /verified|changed|sent/);
  assert.equal(await state(), "off");
  assert.match(await assistant("light.toggle", LAMP), /verified|changed|sent/);
  // A rule that is removed holds no longer.
  await rules.getByRole("button", { name: "Remove: allowed home_call" }).click();
  await rules.getByRole("button", { name: "Remove: denied home_call" }).click();
  await until("the rules are gone", async () => (await hearth.ask("api/policy/rules")).rules.length === 0);
  await page.getByText("There are no rules").waitFor();
  assert.match(await assistant("light.toggle", LAMP), /verified|changed|sent/);
  faults.check();
  await context.close();
});

test("whoever may not answer sees its own questions and no buttons", async () => {
  await hearth.ask("api/policy/rules", { tool: "home_call", token: "tablet", verdict: "ask" });
  const { page, context, faults } = await visitor(browser, hearth);
  await login(page, hearth, tablet);
  const call = assistant("light.turn_on", LAMP);
  await page.goto(hearth.url + "#/approvals");
  await question(page).getByText("tablet wants to use home_call").waitFor();
  assert.equal(await question(page).getByRole("button").count(), 0);
  assert.equal(await page.getByRole("heading", { name: "Rules" }).count(), 0);
  const { approvals } = await hearth.ask("api/policy/approvals");
  await hearth.ask("api/policy/approvals", { id: approvals[0].id, answer: "deny" });
  assert.match(await call, /said no/);
  await page.getByText("Nothing waits for an answer").waitFor();
  faults.check();
  await context.close();
});
