// The frame around every page: navigation, the demo banner, the link's state.
import { useEffect, useRef } from "preact/hooks";
import { post } from "../shared/api";
import { Icon } from "../shared/icons";
import { link } from "../shared/live";
import { Failed, Head, Loading, tell, Toasts } from "../shared/parts";
import { href, pageName } from "../shared/route";
import { keep } from "../shared/storage";
import { text } from "../shared/text";
import { flipTheme, theme } from "../shared/theme";
import { Activity } from "./activity";
import { Approvals } from "./approvals";
import { Connect } from "./connect";
import { Overview } from "./overview";
import { openPage, pages } from "./pages";
import { isAway, known, state } from "./state";
import { Waiting } from "./waiting";

function Brand() {
  return (
    <a class="brand" href={href("")}>
      <img src={iconHref()} alt="" width="28" height="28" />
      {text.name}
    </a>
  );
}

/** The icon's name holds a hash; the document already knows it. */
function iconHref(): string {
  return document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.href ?? "";
}

function Tabs() {
  const tab = (name: string, title: string, icon: { name?: string; path?: string }, kind = "tab") => (
    <a
      key={name}
      class={kind}
      href={href(name)}
      aria-current={pageName.value === name ? "page" : undefined}
    >
      <Icon {...icon} />
      {title}
    </a>
  );
  return (
    <nav class="tabs" aria-label={text.nav}>
      {tab("", text.pages.overview, { name: "overview" })}
      {pages.value.map((p) => tab(p.name, p.title, { path: p.icon }))}
      {tab("connect", text.pages.connect, { name: "connect" })}
      {tab("activity", text.pages.activity, { name: "activity" })}
      {tab("approvals", text.pages.approvals, { name: "approvals" }, "tab wide-only")}
    </nav>
  );
}

async function logOut() {
  try {
    await post("logout", {});
    keep("in", null);
    location.replace("login");
  } catch (e) {
    tell((e as Error).message);
  }
}

function Buttons() {
  const dark = theme.value === "dark";
  const flip = dark ? text.theme.light : text.theme.dark;
  return (
    <>
      <button class="icon-button" type="button" aria-label={flip} title={flip} onClick={flipTheme}>
        <Icon name={dark ? "sun" : "moon"} />
      </button>
      <button
        class="icon-button"
        type="button"
        aria-label={text.logout}
        title={text.logout}
        onClick={() => void logOut()}
      >
        <Icon name="leave" />
      </button>
    </>
  );
}

function Who() {
  const who = known.value?.who;
  if (!who) return null;
  return (
    <p class="who">
      <strong>{who.name}</strong>
      {text.who(who.level)}
    </p>
  );
}

function Shown() {
  const name = pageName.value;
  if (name === "") return <Overview />;
  if (name === "connect") return <Connect />;
  if (name === "activity") return <Activity />;
  if (name === "approvals") return <Approvals />;
  const page = pages.value.find((p) => p.name === name);
  if (!page) {
    if (!known.value) return <Loading />;
    return (
      <Head title={text.unknown.title} lead={text.unknown.body}>
        <a class="button" href={href("")}>
          {text.unknown.back}
        </a>
      </Head>
    );
  }
  const opened = openPage(name);
  if (opened.error.value) {
    return <Failed title={text.broken} why={opened.error.value} again={opened.again} />;
  }
  const Page = opened.module.value?.Page;
  return Page ? <Page /> : <Loading />;
}

function title(): string {
  const name = pageName.value;
  const own = text.pages as Record<string, string>;
  const page = pages.value.find((p) => p.name === name)?.title ?? own[name || "overview"];
  return page ? `${page} – ${text.name}` : text.name;
}

export function App() {
  const main = useRef<HTMLDivElement>(null);
  const name = pageName.value;
  const first = useRef(true);
  useEffect(() => {
    document.title = title();
  }, [name, pages.value]);
  useEffect(() => {
    if (!first.current) {
      // A new page begins at its top, and screen readers follow.
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [name]);
  const error = state.error.value;
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          main.current?.focus();
        }}
      >
        {text.skip}
      </a>
      {known.value?.demo && (
        <div class="demo" role="region" aria-label={text.demoLabel}>
          {text.demo}
        </div>
      )}
      <div class="frame">
        <div class="topbar" role="region" aria-label={text.name}>
          <Brand />
          <LinkMark />
          <Buttons />
        </div>
        <header class="rail">
          <Brand />
          <Tabs />
          <div class="rail-foot">
            <LinkMark />
            <div class="row">
              <Who />
              <div>
                <Buttons />
              </div>
            </div>
          </div>
        </header>
        <main class="main" id="main">
          <div class="page" ref={main} tabIndex={-1}>
            <Waiting />
            {error && !known.value ? (
              <Failed why={error} again={() => void state.again()} />
            ) : (
              <Shown />
            )}
          </div>
        </main>
      </div>
      <Toasts />
    </>
  );
}

function LinkMark() {
  // The link to Hearth may stand while the house behind it is away: that is nothing live.
  const now = link.value === "live" && isAway.value ? "away" : link.value;
  return (
    <span class="link" data-link={now} role="status">
      <span class={`dot ${{ live: "up", away: "degraded", connecting: "starting", lost: "starting" }[now]}`} />
      {text.link[now]}
    </span>
  );
}
