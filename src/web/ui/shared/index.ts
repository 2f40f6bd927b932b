// What pages may use: `import { … } from "hearth/ui"`.
export { get, post, Refusal } from "./api";
export { Icon } from "./icons";
export { link, on, onGap, type Link } from "./live";
export { loader, type Loaded } from "./load";
export { lines, open, persist } from "./sse";
export { Chips, Dialog, Empty, Failed, Head, Loading, Search, Switch, tell } from "./parts";
export { href, pageName, place, settle } from "./route";
export { keep, kept } from "./storage";
export { text as shared } from "./text";
export { ago, clock, hms, iso, when } from "./time";
export type { Page } from "./page";
