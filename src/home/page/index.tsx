// The page of the service `home`, as the shell takes it.
import type { Page } from "hearth/ui";
import { Glance, sentence } from "./glance";
import { House } from "./list";

export default { Page: House, Glance, sentence } satisfies Page;
