// What the browser tests share: a running `hearth demo`, a browser that watches for everything a
// page must not do, and waiting with a deadline.
import assert from "node:assert/strict";
import { spawn, execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const root = resolve(fileURLToPath(import.meta.url), "../../../../..");
const binary = resolve(root, process.env.HEARTH ?? "target/debug/hearth");
/** Pictures of each page land here, to be looked at. */
export const shots = resolve(root, process.env.HEARTH_SHOTS ?? "target/shots");
mkdirSync(shots, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 15_000;

/** Waits until `look` gives something true; fails with `what` after the deadline. */
export async function until(what, look, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const got = await look();
    if (got) return got;
    if (Date.now() > end) assert.fail(`still not: ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** A Hearth of its own: own port, own data, ended by `stop`. */
export class Hearth {
  /** `command` is `demo`, or `serve` with nothing configured but what `settings` and `toml` say. */
  static async start(command = "demo", settings = {}, toml = "") {
    const hearth = new Hearth();
    Object.assign(hearth, { command: [command], settings });
    hearth.data = mkdtempSync(join(tmpdir(), "hearth-page-"));
    if (toml) writeFileSync(join(hearth.data, "hearth.toml"), toml);
    hearth.port = await freePort();
    await hearth.run();
    return hearth;
  }

  /** Starts the program, and again after `kill`, on the same port and data. */
  async run() {
    const own = { PORT: String(this.port), DATA_DIR: this.data, HOST: "127.0.0.1", MDNS: "false" };
    const env = { PATH: process.env.PATH, HOME: this.data, ...own, ...this.settings };
    const demo = this.command[0] === "demo";
    this.said = "";
    this.child = spawn(binary, this.command, { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on("data", (part) => (this.said += part));
    }
    this.ended = new Promise((done) => this.child.on("exit", done));
    const found = (pattern) => pattern.exec(this.said)?.[1];
    const failed = this.ended.then((code) => assert.fail(`hearth ended with ${code}:\n${this.said}`));
    failed.catch(() => undefined);
    const token = () => this.settings.AUTH_TOKEN ?? found(/Token\s+(\S+)/);
    const listens = () => found(/listening on (http:\S+)/) && token();
    await Promise.race([until("hearth listens", listens, 60_000), failed]);
    this.url = found(/listening on (http:\S+)/).replace(/\/?$/, "/");
    this.token = token();
    const path = demo ? "ready" : "health";
    await until("hearth is ready", async () => (await fetch(this.url + path)).ok, 60_000);
  }

  async kill() {
    this.child.kill("SIGKILL");
    await this.ended.catch(() => undefined);
  }

  async stop() {
    this.child.kill("SIGTERM");
    await this.ended.catch(() => undefined);
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Calls an address as a script would, with the token. */
  async ask(path, body) {
    const answer = await fetch(this.url + path, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  /** Runs the command line against this Hearth. */
  async tell(...args) {
    const env = { PATH: process.env.PATH, HOME: this.data, DATA_DIR: this.data, PORT: String(this.port) };
    const { stdout, stderr } = await promisify(execFile)(binary, args, { env });
    return stdout + stderr;
  }

  entity(id) {
    return this.ask(`api/home/entities/${encodeURIComponent(id)}`);
  }

  call(service, id, data = {}) {
    return this.ask("api/home/call", { service, target: { entity_id: [id] }, data });
  }
}

export function launch(environment = {}) {
  return chromium.launch({
    env: { ...process.env, ...environment },
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** What a page did that it must not do: console errors, foreign requests, forbidden code. */
export class Faults {
  list = [];
  /** Messages that a test brings about itself. */
  expected = [];

  watch(page, url) {
    const note = (fault) => {
      if (!this.expected.some((pattern) => pattern.test(fault))) this.list.push(fault);
    };
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && note(`console: ${m.text()}`));
    page.on("pageerror", (e) => note(`error: ${e.message}`));
    page.on("request", (r) => {
      if (!r.url().startsWith(url) && !r.url().startsWith("data:")) note(`outside: ${r.url()}`);
    });
    // A violation of the content security policy is also a console error; this names it.
    return page.addInitScript(() =>
      addEventListener("securitypolicyviolation", (e) =>
        console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`),
      ),
    );
  }

  check() {
    assert.deepEqual(this.list, []);
  }
}

/** A fresh browser profile with one page. */
export async function visitor(browser, hearth, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const faults = new Faults();
  await faults.watch(page, hearth.url);
  return { context, page, faults };
}

/** A visitor who is logged in. */
export async function resident(browser, hearth, options) {
  const guest = await visitor(browser, hearth, options);
  await login(guest.page, hearth);
  return guest;
}

export async function login(page, hearth, token = hearth.token) {
  await page.goto(hearth.url);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation").waitFor();
}

/** Accessibility faults of what is shown now, one line each. */
export async function barriers(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await globalThis.axe.run(document, { runOnly: rules });
    return violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => n.html).join(" | ").slice(0, 300)}`);
  });
}
