/**
 * `@guard/relay`: the server between agents and devices. It joins, counts and remembers, and can neither read
 * a request nor forge an answer.
 */
export type { Limits, Rate } from "./domain/limits.ts";
export { createRelay, type Relay, type RelayOptions } from "./relay.ts";
export type { Peer } from "./server/app.ts";
export type { RelayPage } from "./server/page.ts";
export { type Listening, type ServeOptions, serveRelay } from "./server/serve.ts";
