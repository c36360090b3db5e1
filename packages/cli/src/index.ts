/**
 * `@guard/cli`: the `guard` command, and its pieces for programs that set things up without a person:
 * found an app, add agents, enrol devices, run a development relay.
 */
export { type Dev, type DevPage, startDev } from "./dev.ts";
export { type Home, type OwnerFile, openHome } from "./home.ts";
export { linkTo, openBrowser } from "./page-link.ts";
export { runGuard } from "./program.ts";
export { type LiveScreen, startScreen } from "./screen/live.ts";
export type { Line } from "./words.ts";
