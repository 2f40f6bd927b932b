// The page of Aurora on the demo house: it hears, shows, starts, stops, and takes choices.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { barriers, Hearth, launch, resident, shots, until } from "./harness.mjs";

let hearth;
let browser;
before(async () => {
  [hearth, browser] = await Promise.all([Hearth.start(), launch()]);
});
after(async () => {
  await browser?.close();
  await hearth?.stop();
});

const status = () => hearth.ask("api/aurora/status");

/** Colours of every lamp as the page draws them. */
const drawn = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll(".au-stage canvas")].map((canvas) =>
      [...canvas.getContext("2d").getImageData(0, 0, canvas.width, 1).data].join(),
    ),
  );

test("the lamps move with the music before anything is started", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/aurora");
  await page.getByText("Shelf strip").first().waitFor();
  await page.getByText(/\d+ BPM/).first().waitFor({ timeout: 30_000 });
  // That the test reads pictures back is the test's own doing.
  faults.expected.push(/Multiple readback operations/);
  const first = await drawn(page);
  assert.equal(first.length, 5);
  await until("every lamp has another colour", async () =>
    (await drawn(page)).every((colours, n) => colours !== first[n]),
  );
  assert.equal((await status()).show.running, false);
  await page.screenshot({ path: join(shots, "aurora-wide.png"), fullPage: true });
  faults.check();
  await context.close();
});

test("effect, colours and sliders are taken over at once, and a look is kept under a name", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/aurora");
  await page.getByRole("button", { name: "comets", exact: true }).click();
  await page.getByRole("button", { name: "ocean", exact: true }).click();
  await page.getByLabel("Brightness").fill("0.4");
  await page.getByLabel("Speed").fill("1");
  const zone = async () => (await status()).zones[0];
  await until("the look is taken over", async () => {
    const { effect, palette, brightness, speed } = await zone();
    return effect === "comets" && palette === "ocean" && brightness === 0.4 && speed === 2;
  });
  await page.getByRole("button", { name: "comets", exact: true, pressed: true }).waitFor();
  faults.expected.push(/status of 400/);
  await page.getByLabel("Name for this look").fill("sea/../<b>");
  await page.getByRole("button", { name: "Save this look" }).click();
  await page.locator(".toast").waitFor();
  await page.getByLabel("Name for this look").fill("sea");
  await page.getByRole("button", { name: "Save this look" }).click();
  const saved = page.getByRole("group", { name: "Saved looks" }).getByRole("button", { name: "sea", exact: true });
  await saved.waitFor();
  await page.getByRole("button", { name: "fire", exact: true }).click();
  await until("fire", async () => (await zone()).effect === "fire");
  await saved.click();
  await until("the sea again", async () => (await zone()).effect === "comets");
  faults.check();
  await context.close();
});

test("the lights start and stop, and say who started them", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/aurora");
  await page.getByRole("button", { name: "Start the lights" }).click();
  await page.getByText("started by").waitFor();
  await until("pictures reach the strip", async () => (await status()).lamps[0].sent > 10);
  await page.getByRole("button", { name: "Why are my lights late?" }).click();
  await page.getByRole("button", { name: "Stop the lights" }).click();
  await page.getByRole("button", { name: "Start the lights" }).waitFor();
  assert.equal((await status()).show.running, false);
  faults.check();
  await context.close();
});

test("lights that are found become lamps", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/aurora");
  await page.getByRole("button", { name: "Look for lamps" }).click();
  const row = page.locator("li", { hasText: "light.hallway" });
  await row.getByRole("button", { name: /^Add / }).click();
  await until("the lamp is there", async () =>
    (await status()).lamps.some((lamp) => lamp.kind === "home" && lamp.address === "light.hallway"),
  );
  await page.getByRole("button", { name: "Why are my lights late?" }).click();
  await page.locator(".au-why li").first().waitFor();
  faults.check();
  await context.close();
});

test("the page fits a phone and puts up no barriers", async () => {
  for (const [width, height, colorScheme] of [
    [1280, 900, "light"],
    [390, 844, "dark"],
    [360, 640, "light"],
  ]) {
    const look = { viewport: { width, height }, colorScheme };
    const { page, context, faults } = await resident(browser, hearth, look);
    await page.goto(hearth.url + "#/aurora");
    await page.getByText(/BPM|no beat|silence/).first().waitFor();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${width} sticks out by ${over} px`);
    assert.deepEqual(await barriers(page), [], String(width));
    await page.screenshot({ path: join(shots, `aurora-${width}.png`), fullPage: true });
    faults.check();
    await context.close();
  }
});

test("nobody who left the page is listened for", async () => {
  const { page, context } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/aurora");
  await until("it listens", async () => (await status()).input.state === "listening");
  await page.goto(hearth.url + "#/");
  await until("it rests", async () => (await status()).input.state === "idle");
  await context.close();
});
