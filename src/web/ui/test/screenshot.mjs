// Takes the pictures of the README: the overview on a wide screen with the phone's view beside it, and
// Aurora while it plays.
// Run by scripts/screenshot.
import { statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Hearth, launch, resident } from "./harness.mjs";

const file = process.argv[2];
/** The README's first screen has to load quickly. */
const LARGEST = 150 * 1024;

const scene = [
  ["light.turn_on", "light.floor_lamp", { brightness_pct: 35 }],
  ["light.turn_on", "light.kitchen_counter", { brightness_pct: 80 }],
  ["light.turn_on", "light.kitchen_ceiling", { brightness_pct: 60 }],
  ["light.turn_on", "light.bedside_lamp", { brightness_pct: 20 }],
  ["light.turn_on", "light.desk_lamp", { brightness_pct: 70 }],
  ["switch.turn_on", "switch.coffee_maker"],
  ["media_player.media_play", "media_player.living_room_speaker"],
];

const hearth = await Hearth.start();
// Debian's default font is not what people's devices show; Inter is nearer, where it is installed.
const fonts = join(hearth.data, "fonts.conf");
writeFileSync(
  fonts,
  `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
  <include>/etc/fonts/fonts.conf</include>
  <match target="pattern"><edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
  </fontconfig>`,
);
const browser = await launch({ FONTCONFIG_FILE: fonts });
try {
  for (const [service, id, data] of scene) await hearth.call(service, id, data);
  const picture = async (width, height, colorScheme, hash = "") => {
    const look = { viewport: { width, height }, colorScheme };
    const { page, context, faults } = await resident(browser, hearth, look);
    await page.goto(hearth.url + hash);
    await page.getByText("80 %").waitFor();
    await page.mouse.move(0, 0);
    const taken = await page.screenshot();
    faults.check();
    await context.close();
    return `data:image/png;base64,${taken.toString("base64")}`;
  };
  // Side by side in their own size: scaled text would need twice the bytes.
  const wide = await picture(1040, 640, "light");
  const phone = await picture(340, 626, "dark");
  const page = await browser.newPage({ viewport: { width: 1480, height: 696 } });
  await page.setContent(`<style>
    body { margin: 0; height: 696px; background: #e4d8ca; display: flex; gap: 30px; align-items: center; justify-content: center }
    img { display: block; border-radius: 16px }
    .phone { border-radius: 26px; border: 7px solid #1d1613 }
  </style><img class="wide" src="${wide}"><img class="phone" src="${phone}">`);
  await page.screenshot({ path: file });
  await page.close();
  const playing = join(dirname(file), "aurora.png");
  await aurora(playing);
  for (const taken of [file, playing]) {
    const size = statSync(taken).size;
    console.error(`${taken}: ${size} bytes`);
    if (size > LARGEST) throw new Error(`${taken} is larger than ${LARGEST} bytes`);
  }
} finally {
  await browser.close();
  await hearth.stop();
}

/** Aurora with a look that shows what a strip can do, once the beat is found. */
async function aurora(file) {
  await hearth.ask("api/aurora/look", { effect: "plasma", palette: "aurora" });
  const look = { viewport: { width: 1040, height: 640 }, colorScheme: "dark" };
  const { page, context, faults } = await resident(browser, hearth, look);
  await page.goto(hearth.url + "#/aurora");
  await page.getByText(/\d+ BPM/).first().waitFor({ timeout: 30_000 });
  await page.mouse.move(0, 0);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: file });
  faults.check();
  await context.close();
}
