// Timelines: songs that were looked at beforehand, and the one that plays.
import { Empty, Failed } from "hearth/ui";
import { useEffect, useState } from "preact/hooks";
import { act, timelines, type Playback } from "./data";
import { t } from "./text";

export function Timelines(props: { playback: Playback | null }) {
  useEffect(() => void timelines.again(), []);
  const all = timelines.value.value?.timelines ?? [];
  const why = timelines.error.value;
  return (
    <section class="section" aria-label={t.timelines}>
      <div class="section-head">
        <h2>{t.timelines}</h2>
      </div>
      {why && <Failed why={why} again={() => void timelines.again()} />}
      {props.playback && <Player playback={props.playback} />}
      {all.length > 0 ? (
        <ul class="card rows">
          {all.map((one) => (
            <li key={one.id}>
              <div class="grow">
                <h3>{one.name}</h3>
                <p class="small soft num">
                  {t.at(one.duration)}
                  {one.bpm !== null && ` · ${t.bpm(Math.round(one.bpm))}`}
                </p>
              </div>
              <button
                type="button"
                class="button"
                aria-label={t.play(one.name)}
                onClick={() => void act("play", { timeline_id: one.id })}
              >
                ▶
              </button>
            </li>
          ))}
        </ul>
      ) : (
        !why && (
          <Empty title={t.none}>
            <p>{t.timelinesBody}</p>
            <p>{t.noneBody}</p>
          </Empty>
        )
      )}
      <Render />
    </section>
  );
}

function Player(props: { playback: Playback }) {
  const { timeline, state, position, duration } = props.playback;
  const control = (action: string, more: Record<string, unknown> = {}) => void act("control", { action, ...more });
  return (
    <div class="card pad au-player">
      <h3>{timeline}</h3>
      <input
        type="range"
        min="0"
        max={duration}
        step="1"
        value={position}
        aria-label={t.seek}
        aria-valuetext={t.at(position)}
        onChange={(e) => control("seek", { position: Number(e.currentTarget.value) })}
      />
      <div class="au-go">
        <span class="num small soft">
          {t.at(position)} / {t.at(duration)}
        </span>
        <button type="button" class="button" onClick={() => control(state === "playing" ? "pause" : "resume")}>
          {state === "playing" ? t.pause : t.resume}
        </button>
        <button type="button" class="button quiet" onClick={() => control("stop")}>
          {t.end}
        </button>
      </div>
    </div>
  );
}

function Render() {
  const [file, type] = useState("");
  const [busy, work] = useState(false);
  const render = async (e: Event) => {
    e.preventDefault();
    if (!file.trim()) return;
    work(true);
    if (await act("render", { audio_file: file.trim() })) {
      type("");
      await timelines.again();
    }
    work(false);
  };
  return (
    <form class="au-render" onSubmit={(e) => void render(e)}>
      <input
        class="field"
        aria-label={t.file}
        placeholder={t.file}
        value={file}
        autocomplete="off"
        spellcheck={false}
        onInput={(e) => type(e.currentTarget.value)}
      />
      <button class="button" type="submit" disabled={busy || !file.trim()} aria-busy={busy}>
        {busy ? t.rendering : t.render}
      </button>
    </form>
  );
}
