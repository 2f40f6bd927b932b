// What a service's page module gives to the shell.
import type { ComponentType } from "preact";

export interface Page {
  /** The page itself. */
  Page: ComponentType;
  /** The service's part of the overview: at most a sentence and a few cards. */
  Glance?: ComponentType;
  /** One sentence under the greeting of the overview. Reads signals; empty says nothing. */
  sentence?: () => string;
}
