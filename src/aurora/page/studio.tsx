// The page of Aurora: the lamps as they are, the sound, the look, the delays, the timelines.
import { Empty, Failed, Head, Icon, Loading } from "hearth/ui";
import { useEffect } from "preact/hooks";
import { act, broken, listen, status, type Status } from "./data";
import { Lamps } from "./lamps";
import { Look } from "./look";
import { Preview } from "./preview";
import { Sound } from "./sound";
import { t } from "./text";
import { Timelines } from "./timelines";

const BEAT = 2_000;

/** What people call the input. */
const inputLabel = ({ input, inputs }: Status) =>
  inputs.find((one) => one.name === input.name)?.label ?? input.name;

export function Studio() {
  useEffect(() => {
    void status.again();
    const timer = setInterval(() => document.hidden || void status.again(), BEAT);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    // Nobody looks at a hidden page: no sound is captured for it.
    let stop: (() => void) | null = null;
    const follow = () => {
      if (document.hidden) {
        stop?.();
        stop = null;
      } else stop ??= listen();
    };
    follow();
    document.addEventListener("visibilitychange", follow);
    return () => {
      document.removeEventListener("visibilitychange", follow);
      stop?.();
    };
  }, []);
  const known = status.value.value;
  const why = status.error.value;
  if (!known) {
    return (
      <>
        <Head title={t.title} />
        {why ? <Failed why={why} again={() => void status.again()} /> : <Loading rows={8} />}
      </>
    );
  }
  const { input, show } = known;
  return (
    <>
      <Head title={t.title} lead={t.lead(inputLabel(known), known.lamps.length)}>
        <div class="au-go">
          {show.running && show.by && <span class="small soft">{t.by(show.by)}</span>}
          <button
            type="button"
            class={show.running ? "button" : "button main-action"}
            onClick={() => void act(show.running ? "stop" : "start")}
          >
            {show.running ? t.stop : t.start}
          </button>
        </div>
      </Head>
      {why && <Failed why={why} again={() => void status.again()} />}
      {input.state === "away" && (
        <div class="note" role="status">
          <Icon name="alert" />
          <div>
            <h3>{t.away}</h3>
            {input.why && <p>{input.why}</p>}
          </div>
        </div>
      )}
      {broken.value && <p class="small soft">{t.streamOff}</p>}
      {known.lamps.length ? (
        <Preview lamps={known.lamps} />
      ) : (
        <Empty title={t.noLamps}>
          <p>{t.noLampsBody}</p>
        </Empty>
      )}
      <div class="au-two">
        <Sound status={known} />
        <Look status={known} />
      </div>
      <Lamps lamps={known.lamps} />
      <Timelines playback={known.playback} />
    </>
  );
}
