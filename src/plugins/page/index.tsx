// The page of the service `plugins`, as the shell takes it.
import type { Page } from "hearth/ui";
import { Scripts } from "./scripts";

export default { Page: Scripts } satisfies Page;
