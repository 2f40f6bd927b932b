// Starts the page.
import { render } from "preact";
import { keepLink } from "../shared/live";
import { App } from "./app";
import { state } from "./state";

void state.again();
void keepLink();
render(<App />, document.getElementById("app") as HTMLElement);
