import type { Page } from "hearth/ui";
export default { Page: () => <p>home</p> } satisfies Page;
