// Made by workerd.ts: core's test files by path, loaded when they are asked for.
declare module "virtual:test-files" {
  export const files: Readonly<Record<string, () => Promise<unknown>>>;
}
