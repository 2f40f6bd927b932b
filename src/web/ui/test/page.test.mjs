// The page in a real browser, on a real `hearth demo`.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Hearth, launch, login, resident, until, visitor } from "./harness.mjs";

let hearth;
let browser;
before(async () => {
  [hearth, browser] = await Promise.all([Hearth.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await hearth?.stop();
});

const LAMP = "light.floor_lamp";
/** The thing's line in the list: its link names it. */
const tile = (page, id) => page.locator(".tile").filter({ has: page.locator(`a[href="#/home/${id}"]`) });
const dialog = (page) => page.getByRole("dialog");

test("a token given once opens the page, and the browser never keeps it", async () => {
  const { page, context, faults } = await visitor(browser, hearth);
  await page.goto(hearth.url + "#/home");
  faults.expected.push(/401/);
  await page.getByLabel("Token").fill("wrong-token");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("token is not known").waitFor();

  await page.getByLabel("Token").fill(hearth.token);
  await page.keyboard.press("Enter");
  // What stands behind # survives the login.
  await page.getByRole("heading", { name: "Home", level: 1 }).waitFor();
  const cookies = await context.cookies();
  assert.equal(cookies.length, 1);
  assert.equal(cookies[0].httpOnly, true);
  assert.equal(cookies[0].sameSite, "Strict");
  const kept = await page.evaluate(() => JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!kept.includes(hearth.token) && !cookies[0].value.includes(hearth.token));

  await page.goto(hearth.url + "login");
  await page.getByRole("navigation").waitFor();
  await page.getByRole("button", { name: "Log out" }).first().click();
  await page.getByLabel("Token").waitFor();
  await page.goto(hearth.url);
  await page.getByLabel("Token").waitFor();
  faults.check();
  await context.close();
});

test("the login works without a script", async () => {
  const { page, context, faults } = await visitor(browser, hearth, { javaScriptEnabled: false });
  await page.goto(hearth.url + "login");
  await page.getByLabel("Token").fill("wrong");
  faults.expected.push(/401/);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("token is not known").waitFor();
  await page.getByLabel("Token").fill(hearth.token);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(hearth.url);
  assert.equal(await page.title(), "Hearth");
  faults.check();
  await context.close();
});

test("the overview says that it is a demo, what runs and what is on", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await hearth.call("light.turn_on", LAMP, { brightness_pct: 40 });
  await page.getByText("Demo house").waitFor();
  await page.getByRole("heading", { name: "Services" }).waitFor();
  const services = await hearth.ask("health");
  for (const name of Object.keys(services.services)) {
    await page.locator(".name", { hasText: new RegExp(`^${name}$`) }).waitFor();
  }
  const { name } = await hearth.entity(LAMP);
  await page.locator(".room .line", { hasText: name }).getByText("40 %").waitFor();
  await page.getByText(/lights? (is|are) on/).waitFor();
  faults.check();
  await context.close();
});

test("a change in the house shows without a reload", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/home");
  const switched = tile(page, LAMP).getByRole("switch");
  for (const [service, want] of [["turn_off", "false"], ["turn_on", "true"], ["turn_off", "false"]]) {
    await hearth.call(`light.${service}`, LAMP);
    await until(`the switch is ${want}`, async () => (await switched.getAttribute("aria-checked")) === want);
  }
  faults.check();
  await context.close();
});

test("the switch of a light switches the light", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await hearth.call("light.turn_off", LAMP);
  await page.goto(hearth.url + "#/home");
  const switched = tile(page, LAMP).getByRole("switch");
  for (const state of ["on", "off"]) {
    await switched.click();
    await until(`the light is ${state}`, async () => (await hearth.entity(LAMP)).state === state);
    await until("the page says so", async () => (await switched.getAttribute("aria-checked")) === String(state === "on"));
  }
  faults.check();
  await context.close();
});

test("what was changed is listed, and undone by its button", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await hearth.call("light.turn_off", LAMP);
  await hearth.call("light.turn_on", LAMP, { brightness_pct: 55 });
  await page.goto(hearth.url + "#/home");
  const row = page.locator(".changes .entry").first();
  await row.getByText("light.turn_on").waitFor();
  await row.getByRole("button", { name: /Undo/ }).click();
  await until("the light is off", async () => (await hearth.entity(LAMP)).state === "off");
  // The undo stands above what it undid, and has a button of its own.
  await page.locator(".changes .entry").first().getByText("Undone:").waitFor();
  const undone = page.locator(".changes .entry").nth(1);
  await undone.getByText("Undone", { exact: false }).first().waitFor();
  assert.equal(await undone.getByRole("button").count(), 0);
  await page.locator(".changes .entry").first().getByRole("button").click();
  await until("the light is on again", async () => (await hearth.entity(LAMP)).state === "on");
  faults.check();
  await context.close();
});

test("details open by keyboard, set the brightness and close by Escape", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await hearth.call("light.turn_on", LAMP, { brightness_pct: 50 });
  await page.goto(hearth.url + "#/home");
  const link = tile(page, LAMP).getByRole("link");
  await link.focus();
  await page.keyboard.press("Enter");
  await dialog(page).getByText(LAMP).waitFor();
  const slider = dialog(page).getByLabel("Brightness");
  await slider.focus();
  await page.keyboard.press("End");
  await until("the lamp is at full", async () => (await hearth.entity(LAMP)).attributes.brightness === 255);
  await dialog(page).getByText("On · 100 %").waitFor();
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  assert.ok(page.url().endsWith("#/home"), page.url());
  faults.check();
  await context.close();
});

test("unlocking a door is asked about first", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  const lock = "lock.front_door";
  await hearth.call("lock.lock", lock);
  await until("it is locked", async () => (await hearth.entity(lock)).state === "locked");
  await page.goto(hearth.url + `#/home/${lock}`);
  faults.expected.push(/409/);
  const unlock = dialog(page).getByRole("button", { name: "Unlock" });
  await unlock.click();
  const question = page.getByRole("dialog", { name: "Are you sure?" });
  await question.getByRole("button", { name: "Cancel" }).click();
  assert.equal((await hearth.entity(lock)).state, "locked");
  await unlock.click();
  await question.getByRole("button", { name: "Yes" }).click();
  await until("it is open", async () => (await hearth.entity(lock)).state === "unlocked");
  await hearth.call("lock.lock", lock);
  faults.check();
  await context.close();
});

test("search and kinds narrow the list, and say when nothing is left", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/home");
  await page.locator(".tile").first().waitFor();
  await page.getByRole("button", { name: /^Lights/ }).click();
  const links = () => page.locator(".tile-link").evaluateAll((all) => all.map((a) => decodeURIComponent(a.hash)));
  assert.ok((await links()).length > 2);
  assert.ok((await links()).every((hash) => hash.startsWith("#/home/light.")));
  const search = page.getByRole("searchbox");
  await search.fill("floor lamp");
  assert.deepEqual(await links(), [`#/home/${LAMP}`]);
  await search.fill("no such thing");
  await page.getByText("Nothing matches").waitFor();
  await page.getByRole("button", { name: "Show everything" }).click();
  await page.locator(".tile").first().waitFor();
  faults.check();
  await context.close();
});

test("a lost connection shows, and everything is caught up after it", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  faults.expected.push(/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|50[0-9]/);
  await page.goto(hearth.url + "#/home");
  const switched = tile(page, LAMP).getByRole("switch");
  await switched.waitFor();
  const mark = page.locator(".rail .link");
  await hearth.kill();
  await until("it says that it reconnects", async () => (await mark.getAttribute("data-link")) !== "live");
  await hearth.run();
  const was = (await hearth.entity(LAMP)).state;
  await hearth.call(was === "on" ? "light.turn_off" : "light.turn_on", LAMP);
  await until("it is live again", async () => (await mark.getAttribute("data-link")) === "live", 30_000);
  await until("the change is there", async () => (await switched.getAttribute("aria-checked")) === String(was !== "on"), 30_000);
  faults.check();
  await context.close();
});

test("a page whose token is revoked goes back to the login", async () => {
  const said = await hearth.tell("token", "new", "guest", "--level", "read");
  const secret = /\b(hearth_\S+|[0-9a-zA-Z_-]{24,})\b/.exec(said)?.[1];
  assert.ok(secret, said);
  const { page, context, faults } = await visitor(browser, hearth);
  faults.expected.push(/401|403/);
  await login(page, hearth, secret);
  await page.getByText("guest").first().waitFor();
  await page.goto(hearth.url + "#/activity/log");
  await page.getByText("could not be loaded").waitFor();
  await hearth.tell("token", "revoke", "guest");
  await page.getByLabel("Token").waitFor();
  faults.check();
  await context.close();
});

test("actions are listed as they happen, and text from outside stays text", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/activity");
  await page.getByText("login").first().waitFor();
  const before = await page.locator(".entry").count();
  await hearth.call("light.toggle", LAMP);
  await until("the call is listed", async () => (await page.locator(".entry").count()) > before);
  const evil = `light.<img src=x onerror="document.title='owned'">`;
  await hearth.call("light.turn_on", evil).catch(() => undefined);
  await page.goto(hearth.url + "#/home/" + encodeURIComponent(evil));
  await dialog(page).getByRole("heading", { name: "not there" }).first().waitFor();
  assert.notEqual(await page.title(), "owned");
  assert.equal(await page.locator("img[src=x]").count(), 0);
  faults.check();
  await context.close();
});

test("an admin makes a token on the page, which works, and takes it back", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/connect");
  await page.getByLabel("Name of the client").fill("wall tablet");
  await page.getByRole("button", { name: "Only look" }).click();
  await page.getByRole("button", { name: "Make a token" }).click();
  const secret = await page.locator("pre[aria-label^='The new token']").textContent();
  const ask = () =>
    fetch(hearth.url + "api/web/state", { headers: { authorization: `Bearer ${secret.trim()}` } });
  const answer = await ask();
  assert.equal((await answer.json()).who.level, "read");
  // The new token stands in the text for the client already.
  await page.locator("pre", { hasText: `Bearer ${secret.trim()}` }).waitFor();
  await page.getByRole("button", { name: "Revoke: wall tablet" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByText("wall tablet").waitFor({ state: "detached" });
  assert.equal((await ask()).status, 401);
  faults.check();
  await context.close();
});

test("a token made on the page may be limited to a part of the house, and the list shows it", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/connect");
  await page.getByLabel("Name of the client").fill("cook");
  await page.getByText("Limit it to a part of the house").click();
  await page.getByLabel("Only these areas").fill("kitchen, kitchn");
  await page.getByLabel("Only what Home Assistant exposes").check();
  await page.getByRole("button", { name: "Make a token" }).click();
  await page.getByText("no area id 'kitchn'; did you mean kitchen?").waitFor();
  const secret = (await page.locator("pre[aria-label^='The new token']").textContent()).trim();
  const answer = await fetch(hearth.url + "api/home/houses", {
    headers: { authorization: `Bearer ${secret}` },
  });
  const areas = (await answer.json()).houses[0].areas.map((area) => area.id);
  assert.deepEqual(areas, ["kitchen"]);
  await page.getByText("areas: kitchen, kitchn · exposed only").waitFor();
  await hearth.tell("token", "revoke", "cook");
  faults.check();
  await context.close();
});

test("the command over SSH finds this Hearth's folder", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/connect");
  await page.getByRole("button", { name: "Over SSH", exact: true }).click();
  await page.locator("pre", { hasText: `hearth mcp --data-dir ${hearth.data}` }).waitFor();
  faults.check();
  await context.close();
});

test("the page counts as many entities as the house has", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/home");
  const lead = await page.getByText(/\d+ entities in \d+ areas/).textContent();
  const numbers = lead.match(/(\d+) entities in \d+ areas(?:, and (\d+) for settings)?/);
  const { houses } = await hearth.ask("api/home/houses");
  assert.equal(Number(numbers[1]) + Number(numbers[2] ?? 0), houses[0].entities, lead);
  faults.check();
  await context.close();
});

test("the texts to paste hold the address, and the token only in the page", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(hearth.url + "#/connect");
  await page.getByText(hearth.url + "mcp", { exact: true }).waitFor();
  await page.getByLabel("Token to fill in").fill("my-secret");
  await page.getByRole("button", { name: "Copy: ~/.cursor/mcp.json" }).click();
  await page.getByText("Copied").waitFor();
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.deepEqual(copied.mcpServers.hearth, {
    url: hearth.url + "mcp",
    headers: { Authorization: "Bearer my-secret" },
  });
  assert.ok(!(await page.evaluate(() => JSON.stringify({ ...localStorage }))).includes("my-secret"));
  faults.check();
  await context.close();
});

test("with nothing configured the page says what to do", async () => {
  const bare = await Hearth.start("serve", { AUTH_TOKEN: "a-token-for-an-empty-house" });
  try {
    const { page, context, faults } = await resident(browser, bare);
    await page.getByRole("heading", { name: "Home Assistant is not set up yet" }).waitFor();
    await page.getByText("HASS_TOKEN").first().waitFor();
    await page.getByText("hearth check").first().waitFor();
    // The link stands, and yet there is nothing live.
    await page.locator('.link[data-link="away"]').filter({ visible: true }).getByText("House away").waitFor();
    await page.getByText("Demo house").waitFor({ state: "detached" });
    await page.locator(".service", { hasText: "home" }).getByText("needs a look").waitFor();
    await page.goto(bare.url + "#/home");
    await page.getByRole("heading", { name: "Home Assistant is not set up yet" }).waitFor();
    faults.check();
    await context.close();
  } finally {
    await bare.stop();
  }
});
