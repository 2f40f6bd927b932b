// The page of sandboxes on real ones: what runs shows, with its limits and stderr, and can be ended.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { barriers, Hearth, launch, resident, shots, until } from "./harness.mjs";

let hearth;
let browser;

before(async () => {
  const settings = { AUTH_TOKEN: "token-of-the-page-tests", DOCKER_HOST: "none" };
  [hearth, browser] = await Promise.all([Hearth.start("serve", settings), launch()]);
});
after(async () => {
  await browser?.close();
  await hearth?.stop();
});

const sessions = async () => (await hearth.ask("api/orchestrator/sessions")).sessions;

test("without sessions the page says what they are, and starts one", async () => {
  const { context, page, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/orchestrator");
  await page.getByRole("heading", { name: "No sessions" }).waitFor();
  assert.deepEqual(await barriers(page), []);
  await page.getByRole("button", { name: "Start one" }).click();
  await page.locator("[data-session]").first().waitFor();
  const [session] = await sessions();
  assert.equal(session.state, "running");
  await hearth.ask(`api/orchestrator/sessions/${session.id}/tools/execute_command`, {
    command: "echo begun",
  });
  const row = page.locator(`[data-session="${session.id}"]`);
  await row.getByText("1 call").waitFor();
  await row.getByRole("button", { name: "Limits and stderr" }).click();
  await row.getByRole("columnheader", { name: "In force" }).waitFor();
  const limits = await hearth.ask(`api/orchestrator/sessions/${session.id}/limits`);
  assert.equal(await row.locator("tbody tr").count(), limits.limits.length);
  assert.deepEqual(await barriers(page), []);
  await page.screenshot({ path: join(shots, "orchestrator.png"), fullPage: true });
  await row.getByRole("button", { name: "End", exact: true }).click();
  await until("it is over", async () => (await sessions())[0].state === "ended");
  await row.getByText("ended by its owner").waitFor();
  faults.check();
  await context.close();
});

test("on a phone nothing is wider than the screen", async () => {
  await hearth.ask("api/orchestrator/sessions", { id: "x".repeat(64) });
  const options = { viewport: { width: 360, height: 740 }, colorScheme: "dark" };
  const { context, page, faults } = await resident(browser, hearth, options);
  await page.goto(hearth.url + "#/orchestrator");
  const row = page.locator(`[data-session="${"x".repeat(64)}"]`);
  await row.getByRole("button", { name: "Limits and stderr" }).click();
  await row.getByRole("table").waitFor();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${width} pixels wide`);
  assert.deepEqual(await barriers(page), []);
  await page.screenshot({ path: join(shots, "orchestrator-phone.png"), fullPage: true });
  faults.check();
  await context.close();
});

test("who may only look is told why nothing starts", async () => {
  const grant = { level: "read" };
  const { secret } = await hearth.ask("api/web/tokens", { name: "eve", grant });
  const reader = { url: hearth.url, token: secret };
  const { context, page, faults } = await resident(browser, reader);
  faults.expected.push(/403/);
  await page.goto(hearth.url + "#/orchestrator");
  await page.getByRole("button", { name: "Start one" }).click();
  await page.getByText("may not control orchestrator").waitFor();
  faults.check();
  await context.close();
});
