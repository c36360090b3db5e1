/** The Guard wire: every call of `/v1`, translated to the domain and nothing more. */
import {
  type Answer,
  consumedSchema,
  enrolmentViewSchema,
  foreignDevicesSchema,
  type NewRequest,
  relayInfoSchema,
  requestListSchema,
  requestViewSchema,
  rosterPageSchema,
} from "@guard/core";
import { cancel, consume, report } from "../../domain/acts.ts";
import { answer, answerUnsigned } from "../../domain/answers.ts";
import { enrol, invite, viewEnrolment } from "../../domain/enrolments.ts";
import { setForeignApp, viewForeignApp } from "../../domain/foreign-apps.ts";
import { listDevices } from "../../domain/foreign-devices.ts";
import { ask } from "../../domain/requests.ts";
import { append, createApp, page } from "../../domain/rosters.ts";
import { openStream } from "../../domain/streams.ts";
import { grantToken } from "../../domain/tokens.ts";
import { list, view } from "../../domain/views.ts";
import { type Reply, type Route, route } from "./route.ts";
import * as schemas from "./schemas.ts";
import { eventStream } from "./sse.ts";

const ok = (body: unknown): Reply => ({ status: 200, body });
const created = (body: unknown): Reply => ({ status: 201, body });
const id = (params: Readonly<Record<string, string>>, name: string) => params[name] ?? "";

const get = { method: "GET", query: schemas.noQuery, body: null, statuses: [200] } as const;
const post = { method: "POST", query: schemas.noQuery } as const;

export const routes: readonly Route[] = [
  route({
    ...get,
    path: "/v1/relay",
    summary: "The relay's protocol, key and clock",
    auth: "anyone",
    reply: relayInfoSchema,
    handle: async ({ context }) => ok({ protocol: 1, key: context.signer.key, time: context.clock() }),
  }),
  route({
    ...post,
    path: "/v1/apps",
    summary: "Registers an app by its first roster entry",
    auth: "operator",
    body: schemas.newApp,
    statuses: [201],
    reply: schemas.head,
    handle: async ({ context, body }) => created(await createApp(context, body)),
  }),
  route({
    ...get,
    path: "/v1/roster",
    summary: "A page of roster entries; `wanted` names identities that are about to be asked",
    auth: ["owner", "agent", "device", "invitation"],
    query: schemas.rosterQuery,
    reply: rosterPageSchema,
    handle: async ({ context, principal, query }) =>
      ok(await page(context, principal, { from: query.from ?? 0, wanted: query.wanted ?? [] })),
  }),
  route({
    ...post,
    path: "/v1/roster",
    summary: "Appends one signed entry to the roster",
    auth: ["owner"],
    body: schemas.newEntry,
    statuses: [201],
    reply: schemas.head,
    handle: async ({ context, principal, body }) => created(await append(context, principal, body.entry)),
  }),
  route({
    ...post,
    path: "/v1/tokens",
    summary: "Gives an agent its token, in place of the one before",
    auth: ["owner"],
    body: schemas.newToken,
    statuses: [201],
    reply: schemas.nothing,
    async handle({ context, principal, body }) {
      await grantToken(context, principal, body.grant);
      return created({});
    },
  }),
  route({
    ...post,
    path: "/v1/invites",
    summary: "Opens an invitation for one device of one identity",
    auth: ["owner"],
    body: schemas.newInvite,
    statuses: [201],
    reply: schemas.nothing,
    async handle({ context, principal, body }) {
      await invite(context, principal, body.invite);
      return created({});
    },
  }),
  route({
    ...get,
    path: "/v1/enrolments/:tokenHash",
    summary: "An invitation, and what a device posted for it",
    auth: ["owner", "invitation"],
    reply: enrolmentViewSchema,
    handle: async ({ context, principal, params }) =>
      ok(viewEnrolment(context, principal, id(params, "tokenHash"))),
  }),
  route({
    ...post,
    path: "/v1/enrolments",
    summary: "Posts a device's keys for an invitation",
    auth: ["invitation"],
    body: schemas.newEnrolment,
    statuses: [201],
    reply: schemas.nothing,
    async handle({ context, principal, body }) {
      await enrol(context, principal, body.enrolment);
      return created({});
    },
  }),
  route({
    ...post,
    path: "/v1/foreign",
    summary: "Switches another system's wire on for the app, or changes how it is",
    auth: ["owner"],
    body: schemas.foreignApp,
    statuses: [201],
    reply: schemas.nothing,
    async handle({ context, principal, body }) {
      await setForeignApp(context, principal, body.app);
      return created({});
    },
  }),
  route({
    ...get,
    path: "/v1/foreign",
    summary: "What the owner posted last about another system's wire, or null",
    auth: ["owner"],
    reply: schemas.foreignView,
    handle: async ({ context, principal }) => ok({ app: viewForeignApp(context, principal) }),
  }),
  route({
    ...get,
    path: "/v1/foreign/devices",
    summary: "The devices that registered over such a wire, newest first, the newest 1000",
    auth: ["owner"],
    reply: foreignDevicesSchema,
    handle: async ({ context, principal }) => ok(await listDevices(context, principal)),
  }),
  route({
    ...post,
    path: "/v1/requests",
    summary: "Asks for an approval, or joins what was asked under the same key",
    auth: ["agent"],
    body: schemas.newRequest,
    statuses: [201, 200],
    reply: requestViewSchema,
    async handle({ context, principal, body }) {
      const asked = await ask(context, principal, body satisfies NewRequest);
      return asked.created ? created(asked.view) : ok(asked.view);
    },
  }),
  route({
    ...get,
    path: "/v1/requests",
    summary:
      "The requests of an agent, or those sealed to a device: all open ones, or the newest 200 closed, or those before one",
    auth: ["agent", "device"],
    query: schemas.listQuery,
    reply: requestListSchema,
    async handle({ context, principal, query }) {
      const roster = await context.rosters.get(principal.app);
      return ok(list(context, principal, { which: query.state ?? "open", before: query.before, roster }));
    },
  }),
  route({
    ...get,
    path: "/v1/requests/:request",
    summary: "One request; with `wait`, once its version is above `version` or the seconds are over",
    auth: ["agent", "device"],
    query: schemas.requestQuery,
    reply: requestViewSchema,
    handle: async ({ context, principal, params, query, signal }) =>
      ok(
        await view(context, principal, {
          request: id(params, "request"),
          wait: (query.wait ?? 0) * 1000,
          version: query.version ?? 0,
          signal,
        }),
      ),
  }),
  route({
    ...post,
    path: "/v1/requests/:request/statements",
    summary: "A device's signed answer",
    auth: ["device"],
    body: schemas.answer,
    statuses: [200],
    reply: requestViewSchema,
    handle: async ({ context, principal, params, body }) =>
      ok(await answer(context, principal, id(params, "request"), body satisfies Answer)),
  }),
  route({
    ...post,
    path: "/v1/requests/:request/unsigned",
    summary:
      "What somebody answered over another system's wire, as the agent was told: counts where the terms accept it",
    auth: ["agent"],
    body: schemas.unsigned,
    statuses: [200],
    reply: requestViewSchema,
    handle: async ({ context, principal, params, body }) =>
      ok(await answerUnsigned(context, principal, id(params, "request"), body.unsigned)),
  }),
  route({
    ...post,
    path: "/v1/requests/:request/consume",
    summary: "Uses an approval for one attempt; the same attempt again gets the same receipt",
    auth: ["agent"],
    body: schemas.consume,
    statuses: [200],
    reply: consumedSchema,
    handle: async ({ context, principal, params, body }) =>
      ok({ receipt: await consume(context, principal, id(params, "request"), body.consume) }),
  }),
  route({
    ...post,
    path: "/v1/requests/:request/report",
    summary: "How the run ended",
    auth: ["agent"],
    body: schemas.report,
    statuses: [200],
    reply: requestViewSchema,
    handle: async ({ context, principal, params, body }) =>
      ok(await report(context, principal, id(params, "request"), body.report)),
  }),
  route({
    ...post,
    path: "/v1/requests/:request/cancel",
    summary: "Withdraws a request that was not used",
    auth: ["agent"],
    body: schemas.cancel,
    statuses: [200],
    reply: requestViewSchema,
    handle: async ({ context, principal, params, body }) =>
      ok(await cancel(context, principal, id(params, "request"), body.cancel)),
  }),
  route({
    ...get,
    path: "/v1/stream",
    summary: "Server-sent events: first `state`, then `request` and `roster` for every change",
    auth: ["agent", "device"],
    reply: null,
    async handle({ context, principal, signal }) {
      const roster = await context.rosters.get(principal.app);
      const open = (sink: Parameters<typeof openStream>[3]) => openStream(context, principal, roster, sink);
      return ok(eventStream({ buffer: context.limits.streamBuffer, signal, open }));
    },
  }),
];
