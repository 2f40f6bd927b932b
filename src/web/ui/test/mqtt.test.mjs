// The page of MQTT on a real mosquitto: what is published shows, in every look.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { barriers, Hearth, launch, resident, shots, until } from "./harness.mjs";

const run = promisify(execFile);
let broker;
let folder;
let port;
let hearth;
let browser;

async function startBroker() {
  broker = spawn("/usr/sbin/mosquitto", ["-c", join(folder, "mosquitto.conf")], { stdio: "ignore" });
  await until("mosquitto listens", () =>
    run("mosquitto_pub", ["-p", String(port), "-t", "test/ready", "-m", "x"]).then(
      () => true,
      () => false,
    ),
  );
}

const publish = (topic, payload, ...more) =>
  run("mosquitto_pub", ["-p", String(port), "-q", "1", "-t", topic, "-m", payload, ...more]);

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "hearth-broker-"));
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  port = server.address().port;
  await new Promise((done) => server.close(done));
  writeFileSync(join(folder, "mosquitto.conf"), `user root\nlistener ${port} 127.0.0.1\nallow_anonymous true\n`);
  await startBroker();
  const settings = { AUTH_TOKEN: "token-of-the-page-tests", DEFAULT_MQTT_BROKER: `127.0.0.1:${port}` };
  [hearth, browser] = await Promise.all([Hearth.start("serve", settings), launch()]);
  await until("the broker is connected", async () => (await hearth.ask("api/mqtt/status")).sessions[0].state === "connected");
  for (const n of [20.5, 21, 21.5, 22.25]) {
    await publish("home/kitchen/climate", JSON.stringify({ temperature: n, humidity: 47, unit: "°C" }));
  }
  await publish("home/kitchen/lamp", "ON", "-r");
  const lamp = { name: null, command_topic: "home/kitchen/lamp/set", state_topic: "home/kitchen/lamp" };
  const device = { identifiers: ["lamp1"], name: "Kitchen lamp", manufacturer: "Acme", model: "L1" };
  await publish("homeassistant/light/lamp1/config", JSON.stringify({ ...lamp, unique_id: "lamp1", device }), "-r");
  await publish("home/hall/motion", '{"occupancy":true,"battery":88}');
  await publish("zigbee2mqtt/bridge/state", '{"state":"online"}', "-r");
  await publish(`home/${"long".repeat(30)}/name`, "x".repeat(400));
});
after(async () => {
  await browser?.close();
  await hearth?.stop();
  broker?.kill();
  rmSync(folder, { recursive: true, force: true });
});

test("the tree opens level by level, and a topic shows its message, its past and a plot", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/mqtt");
  await page.getByRole("button", { name: "Open home", exact: true }).click();
  await page.getByRole("button", { name: "Open kitchen", exact: true }).click();
  await page.getByRole("link", { name: "climate" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText('"humidity": 47').waitFor();
  await dialog.getByText("21.5").first().waitFor();
  await dialog.locator("del", { hasText: "21.5" }).waitFor();
  await dialog.locator("ins", { hasText: "22.25" }).waitFor();
  await dialog.locator("polyline").waitFor();
  await publish("home/kitchen/climate", JSON.stringify({ temperature: 19.75, humidity: 47, unit: "°C" }));
  await dialog.locator("ins", { hasText: "19.75" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Close kitchen", exact: true }).waitFor();
  faults.check();
  await context.close();
});

test("messages show as they arrive, by a filter, and stand still while paused", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/mqtt/messages");
  await page.getByRole("searchbox").fill("live/+");
  await page.getByText("Waiting for messages").waitFor();
  await publish("live/a", "first");
  await publish("other/a", "elsewhere");
  await page.locator(".mq-line").getByText("first").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await publish("live/b", "second");
  await page.getByText("Paused; 1 message since").waitFor();
  assert.equal(await page.locator(".mq-line").getByText("second").count(), 0);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.locator(".mq-line").getByText("second").waitFor();
  assert.equal(await page.getByText("elsewhere").count(), 0);
  assert.equal(await page.locator(".mq-line").count(), 2);
  faults.check();
  await context.close();
});

test("what strangers send stays text", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  const evil = '<img src=x onerror="document.title=1">';
  await publish(`evil/${evil.replace(/[#+/]/g, "")}`, evil);
  await publish("evil/json", JSON.stringify({ [evil]: evil, "\u202eturned": 1 }));
  await page.goto(hearth.url + "#/mqtt/messages");
  await page.locator(".mq-line .mq-value").filter({ hasText: "onerror" }).first().waitFor();
  await page.goto(hearth.url + `#/mqtt/${encodeURIComponent("=evil/json")}`);
  await page.getByRole("dialog").getByText("onerror").first().waitFor();
  assert.equal(await page.locator("img[src=x]").count(), 0);
  assert.match(await page.title(), /^MQTT/);
  faults.check();
  await context.close();
});

test("a broker that goes away is said, and what arrived stays", async () => {
  const { page, context, faults } = await resident(browser, hearth);
  await page.goto(hearth.url + "#/mqtt");
  await page.getByRole("button", { name: "Open home", exact: true }).waitFor();
  broker.kill("SIGKILL");
  await page.getByText("cannot be reached").waitFor();
  await page.getByRole("button", { name: "Open home", exact: true }).waitFor();
  await page.screenshot({ path: join(shots, "mqtt-away-wide.png") });
  await startBroker();
  await page.getByText("cannot be reached").waitFor({ state: "detached" });
  faults.check();
  await context.close();
});

test("the form publishes through the gates, and says what they say", async () => {
  const settings = { AUTH_TOKEN: "token-of-the-page-tests", DEFAULT_MQTT_BROKER: `127.0.0.1:${port}` };
  const open = await Hearth.start("serve", settings, '[mqtt]\nread_only = false\ndeny_topics = ["denied/#"]\n');
  const { page, context, faults } = await resident(browser, open);
  await page.goto(open.url + "#/mqtt/publish");
  const topic = page.getByLabel("Topic");
  await topic.fill("form/lamp/set");
  await page.getByLabel("Message", { exact: true }).fill("ON");
  await page.getByRole("button", { name: "At least once" }).click();
  assert.ok(await page.getByRole("switch").isDisabled());
  await page.getByRole("button", { name: "Try without sending" }).click();
  await page.getByText("status: dry_run").waitFor();
  await page.getByRole("button", { name: "Publish", exact: true }).last().click();
  await page.getByText("status: written").waitFor();
  const heard = await until("the message", async () => {
    const found = await hearth.ask("api/mqtt/messages?filter=form/%23");
    return found.messages[0];
  });
  assert.deepEqual([heard.payload.text, heard.qos, heard.retained], ["ON", 1, false]);
  await topic.fill("denied/lamp");
  faults.expected.push(/403/);
  await page.getByRole("button", { name: "Publish", exact: true }).last().click();
  await page.getByText("mqtt.deny_topics").waitFor();
  faults.check();
  await context.close();
  await open.stop();
});

test("the earlier port begins at this page", async () => {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const second = server.address().port;
  await new Promise((done) => server.close(done));
  const settings = { AUTH_TOKEN: "token-of-the-page-tests", WEB_PORT: String(second), WEB_HOST: "127.0.0.1" };
  const old = await Hearth.start("serve", settings);
  old.url = `http://127.0.0.1:${second}/`;
  const { page, context, faults } = await resident(browser, old);
  await page.getByRole("heading", { name: "MQTT", level: 1 }).waitFor();
  assert.match(page.url(), /#\/mqtt$/);
  await page.getByRole("link", { name: "Overview" }).first().click();
  await page.getByRole("heading", { name: "Services" }).waitFor();
  faults.check();
  await context.close();
  await old.stop();
});

test("without a broker the page says what to set", async () => {
  const bare = await Hearth.start("serve", { AUTH_TOKEN: "token-of-the-page-tests" });
  const { page, context, faults } = await resident(browser, bare);
  await page.goto(bare.url + "#/mqtt");
  await page.getByText("DEFAULT_MQTT_BROKER").waitFor();
  faults.check();
  await context.close();
  await bare.stop();
});

const sizes = { wide: [1280, 860], small: [360, 640] };
const looks = {
  topics: ["#/mqtt", "zigbee2mqtt"],
  topic: [`#/mqtt/${encodeURIComponent("=home/kitchen/climate")}`, "What changed"],
  messages: ["#/mqtt/messages", "bridge/state"],
  devices: ["#/mqtt/devices", "Kitchen lamp"],
  broker: ["#/mqtt/broker", "Messages a second"],
  publish: ["#/mqtt/publish", "Publishing is switched off"],
};
for (const [size, [width, height]] of Object.entries(sizes)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`every view fits and is accessible: ${size}, ${colorScheme}`, async () => {
      const { page, context, faults } = await resident(browser, hearth, { viewport: { width, height }, colorScheme });
      for (const [name, [hash, words]] of Object.entries(looks)) {
        await page.goto(hearth.url + hash);
        await page.getByText(words).first().waitFor();
        await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
        if (name === "topics") await page.getByRole("button", { name: "Open home", exact: true }).click();
        if (name === "topics") await page.getByRole("button", { name: "Open kitchen", exact: true }).waitFor();
        await page.screenshot({ path: join(shots, `mqtt-${name}-${size}-${colorScheme}.png`) });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${name} sticks out by ${over} px`);
        assert.deepEqual(await barriers(page), [], name);
      }
      faults.check();
      await context.close();
    });
  }
}
