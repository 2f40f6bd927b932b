// The page of the service `aurora`, as the shell takes it.
import type { Page } from "hearth/ui";
import { Studio } from "./studio";

export default { Page: Studio } satisfies Page;
