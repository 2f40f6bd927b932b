// The page of the service `mqtt`, as the shell takes it.
import type { Page } from "hearth/ui";
import { Workbench } from "./workbench";

export default { Page: Workbench } satisfies Page;
