// Bundles the web UI: `node bundle.mjs <folder>`.
//
// Fed by build.rs. Reads src/web/ui (the shell) and every src/<service>/page, writes one gzipped
// file per asset into the folder and `assets.rs`, the table that src/web/assets.rs includes. Takes
// no part in running Hearth and opens no connection.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const ui = dirname(fileURLToPath(import.meta.url));
const src = resolve(ui, "../..");
const out = resolve(process.argv[2] ?? "");
if (!process.argv[2]) throw new Error("name the folder for the built files");
const dev = process.env.HEARTH_UI_DEV === "1";

const services = readdirSync(src)
  .filter((name) => existsSync(join(src, name, "page/index.tsx")))
  .sort();

/** `hearth:pages` is the list of pages found; each is a chunk of its own, loaded when opened. */
const pages = {
  name: "pages",
  setup(b) {
    b.onResolve({ filter: /^hearth:pages$/ }, () => ({ path: "pages", namespace: "pages" }));
    b.onLoad({ filter: /.*/, namespace: "pages" }, () => ({
      contents: `export const found = {${services
        .map((name) => {
          const icon = readFileSync(join(src, name, "page/icon.svg"), "utf8");
          const path = /\sd="([^"]+)"/.exec(icon)?.[1];
          if (!path) throw new Error(`src/${name}/page/icon.svg needs one path`);
          const load = `() => import(${JSON.stringify(join(src, name, "page/index.tsx"))})`;
          return `${JSON.stringify(name)}: { icon: ${JSON.stringify(path)}, load: ${load} }`;
        })
        .join(",")}};`,
      resolveDir: ui,
    }));
  },
};

/** `hearth:style` is the shell's style sheet followed by those of the pages. */
const style = {
  name: "style",
  setup(b) {
    b.onResolve({ filter: /^hearth:style$/ }, () => ({ path: "style", namespace: "style" }));
    b.onLoad({ filter: /.*/, namespace: "style" }, () => ({
      contents: [join(ui, "style/index.css"), ...services.map((s) => join(src, s, "page/style.css"))]
        .filter((file) => existsSync(file))
        .map((file) => `@import ${JSON.stringify(file)};`)
        .join("\n"),
      loader: "css",
      resolveDir: ui,
    }));
  },
};

const common = {
  bundle: true,
  minify: !dev,
  sourcemap: dev ? "inline" : false,
  write: false,
  outdir: out,
  target: ["es2021", "chrome100", "firefox100", "safari15.4"],
  legalComments: "none",
  metafile: true,
  nodePaths: [join(ui, "node_modules")],
  alias: { "hearth/ui": join(ui, "shared/index.ts") },
  jsx: "automatic",
  jsxImportSource: "preact",
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  assetNames: "[name]-[hash]",
  logLevel: "warning",
};

const modules = await build({
  ...common,
  entryPoints: [
    { in: join(ui, "shell/main.tsx"), out: "shell" },
    { in: join(ui, "login/login.ts"), out: "login" },
  ],
  format: "esm",
  splitting: true,
  plugins: [pages],
});
// Runs before the first paint, so it is a plain script and not a module.
const early = await build({
  ...common,
  entryPoints: [{ in: join(ui, "shared/early.ts"), out: "early" }],
  format: "iife",
});
const sheet = await build({
  ...common,
  entryPoints: [{ in: "hearth:style", out: "style" }],
  plugins: [style],
});

const kinds = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".html": "text/html; charset=utf-8",
};
const files = [...modules.outputFiles, ...early.outputFiles, ...sheet.outputFiles].map((f) => ({
  name: basename(f.path),
  bytes: Buffer.from(f.contents),
}));
const hash = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 10);
const icon = readFileSync(join(ui, "icon.svg"));
files.push({ name: `icon-${hash(icon)}.svg`, bytes: icon });

const named = (start) => files.find((f) => f.name.startsWith(`${start}-`)).name;
const entry = Object.entries(modules.metafile.outputs).find(([path]) =>
  basename(path).startsWith("shell-"),
);
const preloads = entry[1].imports
  .filter((i) => i.kind === "import-statement")
  .map((i) => `<link rel="modulepreload" href="assets/${basename(i.path)}">`);

/** Fills the names of the built files into a page. */
function page(file) {
  const text = readFileSync(join(ui, file), "utf8");
  const filled = text
    .replace(/<!--preload-->\n?/, preloads.join("\n") + "\n")
    .replace(/%(\w+)%/g, (_, name) => `assets/${named(name)}`);
  return Buffer.from(filled);
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
/** Writes one file gzipped and returns its row of the table. */
function row({ name, bytes }) {
  writeFileSync(join(out, `${name}.gz`), gzipSync(bytes, { level: 9 }));
  const kind = kinds[extname(name)];
  return `Asset { name: ${JSON.stringify(name)}, kind: ${JSON.stringify(kind)}, tag: "\\"${hash(
    bytes,
  )}\\"", gzip: include_bytes!(${JSON.stringify(join(out, `${name}.gz`))}) }`;
}
const rows = files.map(row).map((r) => `    ${r},\n`);
writeFileSync(
  join(out, "assets.rs"),
  `static ASSETS: &[Asset] = &[\n${rows.join("")}];\n` +
    `static INDEX: Asset = ${row({ name: "index.html", bytes: page("shell/index.html") })};\n` +
    `static LOGIN: Asset = ${row({ name: "login.html", bytes: page("login/login.html") })};\n` +
    `static PAGES: &[&str] = &${JSON.stringify(services)};\n`,
);
if (process.env.HEARTH_UI_SIZES === "1") {
  let sum = 0;
  for (const { name, bytes } of files) {
    const size = gzipSync(bytes, { level: 9 }).length;
    sum += size;
    console.error(`${String(size).padStart(7)}  ${name}`);
  }
  console.error(`${String(sum).padStart(7)}  in all, gzipped`);
}
