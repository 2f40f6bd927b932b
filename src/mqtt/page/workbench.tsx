// The page of MQTT: the views of one broker, and the topic that is looked at.
import { Chips, Empty, Failed, Head, href, Icon, Loading, place, settle } from "hearth/ui";
import { Broker } from "./broker";
import { chosen, session, status, useBeat } from "./data";
import { Devices } from "./devices";
import { Messages } from "./messages";
import { Publish } from "./publish";
import { t } from "./text";
import { Detail } from "./topic";
import { Tree } from "./tree";

const views = ["topics", "messages", "devices", "broker", "publish"] as const;
type View = (typeof views)[number];

/** The view that a topic is opened from, to go back to. */
let before: View = "topics";

/** `=<topic>` is a topic, `publish=<topic>` the form for it, anything else a view. */
function read(at: string): { view: View; topic: string; to: string } {
  if (at.startsWith("=")) return { view: before, topic: at.slice(1), to: "" };
  if (at.startsWith("publish=")) return { view: "publish", topic: "", to: at.slice(8) };
  const view = views.find((one) => one === at) ?? "topics";
  return { view, topic: "", to: "" };
}

function Away() {
  const one = session.value;
  if (!one || one.state === "connected") return null;
  return (
    <div class="note" role="status">
      <Icon name="alert" />
      <div>
        <h3>{one.state === "away" ? t.away(one.broker) : t.connecting}</h3>
        {one.why && <p>{one.why}</p>}
        {one.state === "away" && <p class="small">{t.awayBody}</p>}
      </div>
    </div>
  );
}

export function Workbench() {
  useBeat(() => void status.again(), []);
  const known = status.value.value;
  const one = session.value;
  const { view, topic, to } = read(place.value);
  before = view;
  if (!known) {
    const why = status.error.value;
    return (
      <>
        <Head title={t.title} />
        {why ? <Failed why={why} again={() => void status.again()} /> : <Loading rows={8} />}
      </>
    );
  }
  if (!one) {
    return (
      <>
        <Head title={t.title} />
        <Empty title={t.none}>
          <p>{t.noneBody}</p>
        </Empty>
      </>
    );
  }
  return (
    <>
      <Head title={t.title} lead={t.lead(one.broker, one.topics, one.messages_per_second)} />
      <Away />
      {status.error.value && <Failed why={status.error.value} again={() => void status.again()} />}
      {known.sessions.length > 1 && (
        <Chips
          label={t.session}
          all={known.sessions.map((s) => ({ key: s.id, name: s.id }))}
          chosen={one.id}
          choose={(id) => (chosen.value = id)}
          oneLine
        />
      )}
      <Chips
        label={t.views}
        all={views.map((key) => ({ key, name: t.view[key] }))}
        chosen={view}
        choose={(key) => (location.hash = href("mqtt", key === "topics" ? "" : key).slice(1))}
        oneLine
      />
      {view === "topics" && <Tree />}
      {view === "messages" && <Messages />}
      {view === "devices" && <Devices />}
      {view === "broker" && <Broker />}
      {view === "publish" && <Publish key={to} to={to} />}
      {topic && (
        <Detail key={topic} of={topic} close={() => settle("mqtt", view === "topics" ? "" : view)} />
      )}
    </>
  );
}
