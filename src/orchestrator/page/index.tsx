// The page of the service `orchestrator`, as the shell takes it.
import type { Page } from "hearth/ui";
import { Sessions } from "./sessions";

export default { Page: Sessions } satisfies Page;
