// Every page in every look: wide, phone and the smallest phone, light and dark. Nothing may stick
// out, no barrier may stand in the way of a screen reader, and a picture is kept to be looked at.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { barriers, Hearth, launch, resident, shots, visitor } from "./harness.mjs";

// With something that waits, a rule and a quota, the page of approvals has all its parts.
const toml = `[policy]
confirm_seconds = 3600
[[policy.quotas]]
tool = "home_*"
per_day = 5000
`;
const unlock = { service: "lock.unlock", target: { entity_id: ["lock.front_door"] } };

let hearth;
let browser;
before(async () => {
  [hearth, browser] = await Promise.all([Hearth.start("demo", {}, toml), launch()]);
  await hearth.ask("api/policy/rules", { tool: "home_restart", verdict: "deny" });
  await hearth.ask("api/home/call", unlock).catch(() => undefined);
});
after(async () => {
  await browser?.close();
  await hearth?.stop();
});

const sizes = { wide: [1280, 860], phone: [390, 844], small: [360, 640] };
const pages = {
  overview: ["", "Services"],
  home: ["#/home", "Living room"],
  light: ["#/home/light.floor_lamp", "Brightness"],
  climate: ["#/home/climate.living_room", "Target"],
  connect: ["#/connect", "Set up the client"],
  activity: ["#/activity", "login"],
  log: ["#/activity/log", "info"],
  approvals: ["#/approvals", "wants to use"],
  unknown: ["#/nowhere", "There is no such page"],
};

for (const [size, [width, height]] of Object.entries(sizes)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`every page fits and is accessible: ${size}, ${colorScheme}`, async () => {
      const look = { viewport: { width, height }, colorScheme };
      const guest = await visitor(browser, hearth, look);
      await guest.page.goto(hearth.url);
      await guest.page.getByLabel("Token").waitFor();
      await inspect(guest.page, `login-${size}-${colorScheme}`);
      guest.faults.check();
      await guest.context.close();

      const { page, context, faults } = await resident(browser, hearth, look);
      for (const [name, [hash, words]] of Object.entries(pages)) {
        await page.goto(hearth.url + hash);
        await page.getByText(words).first().waitFor();
        await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
        await inspect(page, `${name}-${size}-${colorScheme}`);
      }
      faults.check();
      await context.close();
    });
  }
}

async function inspect(page, name) {
  await page.screenshot({ path: join(shots, `${name}.png`) });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${name} sticks out by ${over} px`);
  assert.deepEqual(await barriers(page), [], name);
}

test("the keyboard finds the way past the navigation", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/connect");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.reload();
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to the page" });
  assert.ok(await skip.evaluate((e) => e === document.activeElement));
  const shown = await skip.boundingBox();
  assert.ok(shown.y >= 0, "the link stays out of sight");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => [document.activeElement.closest("main") !== null, getComputedStyle(document.activeElement).outlineStyle]);
  assert.deepEqual(first, [true, "solid"]);
  faults.check();
  await context.close();
});

test("the theme follows the system until the person chooses", async () => {
  const { page, context, faults } = await resident(browser, hearth, { colorScheme: "dark" });
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), "dark");
  await page.emulateMedia({ colorScheme: "light" });
  // The page hears of the change a moment after the browser.
  await page.waitForFunction(() => document.documentElement.dataset.theme === "light");
  await page.locator(".rail").getByRole("button", { name: "Use the dark theme" }).click();
  assert.equal(await theme(), "dark");
  await page.reload();
  assert.equal(await theme(), "dark");
  faults.check();
  await context.close();
});
