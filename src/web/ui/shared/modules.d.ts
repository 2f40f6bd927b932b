declare module "hearth:pages" {
  /** Pages found by the bundler, by the name of their service. */
  export const found: Record<
    string,
    { icon: string; load: () => Promise<{ default: import("./page").Page }> }
  >;
}
