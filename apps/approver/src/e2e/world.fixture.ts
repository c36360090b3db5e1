/**
 * What tests of the page begin with: a real relay on loopback, an app with its owner, agents with real guards,
 * and the built page in Chromium, on another origin than the relay. Nothing between them is replaced.
 */
import {
  createGuard,
  createRelayClient,
  ed25519Signer,
  type Facts,
  formatConnection,
  formatInvitation,
  foundApp,
  type Guard,
  type GuardOptions,
  type Json,
  type MemoryEvidence,
  memoryEvidence,
  type Owner,
  type RequestView,
  randomBytes,
  requestViewSchema,
  type ToolSchema,
  type Waiting,
} from "@guard/core";
import { createRelay, type Relay, serveRelay } from "@guard/relay";
import type { Browser, BrowserContext, BrowserContextOptions, CDPSession, Page } from "playwright";
import { readPage } from "../files/index.ts";
import { endEnrolment, startEnrolment } from "./person.fixture.ts";
import { hostPage, type PageHost } from "./serve.fixture.ts";

export const alice = "alice@example.com";
export const bob = "bob@example.com";

export interface Asking {
  readonly facts?: Facts;
  readonly schema?: ToolSchema;
  readonly validate?: (args: Json) => Promise<unknown>;
}

/** A call that waits for people. */
export interface Asked {
  readonly request: string;
  /** When the relay had it, in milliseconds since 1970. */
  readonly at: number;
  /** The arguments that the tool ran with, or the error with which the call ended. */
  readonly ended: Promise<{ readonly ran: Json } | { readonly failed: { code: string; reason?: string } }>;
  /** The request as the relay has it now. */
  view(): Promise<RequestView>;
}

export interface Agent {
  readonly guard: Guard;
  readonly evidence: MemoryEvidence;
  /** Resolves once the request is at the relay. */
  ask(tool: string, args: Json, more?: Asking): Promise<Asked>;
}

export interface Enrolled {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly cdp: CDPSession;
  readonly device: string;
  /** As both sides show it. */
  readonly fingerprint: { readonly onPage: string; readonly atOwner: string };
}

export interface EnrolOptions extends BrowserContextOptions {
  /** Signs with the virtual authenticator's passkey instead of a key of the page's own. */
  readonly passkey?: boolean;
  readonly invited?: InviteOptions;
}

export interface InviteOptions {
  /** Where the page comes from; by default not from the relay. */
  readonly origin?: string;
  /** The relay's address as the invitation names it; by default its own. */
  readonly relay?: string;
}

export interface World {
  readonly owner: Owner;
  readonly relay: Relay;
  readonly relayUrl: string;
  readonly host: PageHost;
  agent(options?: Partial<GuardOptions>): Promise<Agent>;
  /** A browser of its own, with nothing in it yet. */
  visit(options?: BrowserContextOptions): Promise<{ page: Page; context: BrowserContext; cdp: CDPSession }>;
  /** A browser in which `identity` has enrolled, on the inbox. */
  enrol(identity: string, options?: EnrolOptions): Promise<Enrolled>;
  /** The browser of somebody who enrolled once in this file, on the inbox; made at the first use. */
  home(identity: string): Promise<Enrolled>;
  /** A link as `guard invite --page` prints it, and the device that uses it, which waits to be confirmed. */
  invite(identity: string, options?: InviteOptions): Promise<{ link: string; device(): Promise<Waiting> }>;
  close(): Promise<void>;
}

type Arrived = Pick<Asked, "request" | "at">;

const phone = { width: 360, height: 740 };
const operatorToken = "operator-token-of-a-test";

export async function startWorld(browser: Browser): Promise<World> {
  const built = await readPage();
  const host = await hostPage(built);
  const relay = await createRelay({
    database: ":memory:",
    operatorToken,
    logger: false,
    allowedOrigins: [host.origin],
    page: built,
  });
  const served = await serveRelay(relay);
  const signer = await ed25519Signer(randomBytes(32));
  const owner = await foundApp({ relay: served.url, operatorToken, signer });
  const guards: Guard[] = [];
  const contexts: BrowserContext[] = [];
  const homes = new Map<string, Promise<Enrolled>>();
  let agents = 0;

  async function agent(options: Partial<GuardOptions> = {}): Promise<Agent> {
    const added = await owner.addAgent(`support-${++agents}`);
    const connection = formatConnection(added);
    const client = createRelayClient({ url: added.relay, token: added.token });
    const evidence = memoryEvidence();
    const pending = new Map<string, (arrived: Arrived) => void>();
    const guard = createGuard({
      approvers: [alice],
      rosterStore: null,
      ...options,
      connection,
      evidence,
      onPending: ({ request, callId }) =>
        pending.get(callId ?? "")?.({ request, at: performance.timeOrigin + performance.now() }),
    });
    guards.push(guard);
    let calls = 0;
    return {
      guard,
      evidence,
      async ask(tool, args, more = {}) {
        const callId = `call-${++calls}`;
        const arrived = new Promise<Arrived>((resolve) => pending.set(callId, resolve));
        const ended = guard
          .run({ tool, args, callId, session: "ticket-7", stableCallId: true, ...more }, (run) => run.args)
          .then((ran) => ({ ran }))
          .catch((failed: { code: string; reason?: string }) => ({ failed }));
        const early = ended.then((end) => {
          throw new Error(`The call ended before anybody was asked: ${JSON.stringify(end)}`);
        });
        const { request, at } = await Promise.race([arrived, early]);
        const view = async () =>
          (await client.call("GET", `/v1/requests/${request}`, { schema: requestViewSchema })).value;
        return { request, at, ended, view };
      },
    };
  }

  async function visit(options: BrowserContextOptions = {}) {
    const context = await browser.newContext({ viewport: phone, reducedMotion: "reduce", ...options });
    contexts.push(context);
    context.setDefaultTimeout(5000);
    const page = await context.newPage();
    return { page, context, cdp: await context.newCDPSession(page) };
  }

  async function invite(
    identity: string,
    { origin = host.origin, relay: at = served.url }: InviteOptions = {},
  ) {
    const inviting = await owner.invite({ identity });
    const link = `${origin}/#${formatInvitation({ ...inviting.invitation, relay: at })}`;
    return { link, device: () => inviting.waitForDevice({ interval: 20 }) };
  }

  async function enrol(identity: string, options: EnrolOptions = {}): Promise<Enrolled> {
    const { passkey = false, invited: how, ...more } = options;
    const visited = await visit(more);
    if (passkey) await addAuthenticator(visited.cdp);
    const invited = await invite(identity, how);
    await visited.page.goto(invited.link);
    const onPage = await startEnrolment(visited.page, { passkey });
    const { device, fingerprint, confirm } = await invited.device();
    await confirm();
    await endEnrolment(visited.page);
    return { ...visited, device, fingerprint: { onPage, atOwner: fingerprint } };
  }

  return {
    owner,
    relay,
    relayUrl: served.url,
    host,
    agent,
    visit,
    invite,
    enrol,
    async home(identity) {
      const made = homes.get(identity) ?? enrol(identity);
      homes.set(identity, made);
      const home = await made;
      await home.page.goto(`${host.origin}/#/`);
      return home;
    },
    async close() {
      for (const context of contexts) await context.close();
      for (const guard of guards) await guard.close();
      await served.close();
      await relay.close();
      await host.close();
    },
  };
}

/** A phone's own authenticator, unlocked by its owner's finger. Returns its id. */
async function addAuthenticator(cdp: CDPSession): Promise<string> {
  await cdp.send("WebAuthn.enable", { enableUI: false });
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return authenticatorId;
}
