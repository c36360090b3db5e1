/** A relay of ours over TLS as Noxy's published clients meet it, with the wire switched on for an app, and devices. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeDecision, openDecision } from "@guard/compat/noxy";
import { newToken, randomBytes } from "@guard/core";
import { createRelay, type RelayOptions, serveRelay } from "@guard/relay";
import { createBench } from "@guard/testing";
import { kemKeys } from "../../../packages/compat/src/noxy/kem.fixture.ts";
import {
  connectDevice,
  type LegName,
  payloadOf,
} from "../../../packages/relay/src/test/noxy/device.fixture.ts";
import { certificate } from "../../../packages/relay/src/test/port.fixture.ts";
import { type PythonClient, type PythonOptions, pythonClient } from "./python.fixture.ts";

interface Options {
  readonly python: string;
  readonly quota?: number | null;
  /** False leaves the wire off, as it is for every app at first. */
  readonly enabled?: boolean;
}

function newKeys() {
  const { publicKey, secretKey } = kemKeys();
  const open = (): string => {
    throw new Error("Decisions of this device are opened by next().");
  };
  return { publicKey: randomBytes(32), pqPublicKey: Uint8Array.from(publicKey), secretKey, open };
}

export async function noxyPlace({ python, quota = null, enabled = true }: Options) {
  const folder = mkdtempSync(join(tmpdir(), "guard-noxy-place-"));
  const [database, roots] = [join(folder, "relay.db"), join(folder, "roots.pem")];
  const tls = certificate();
  writeFileSync(roots, tls.cert);
  const bench = await createBench({ people: [], database });
  let relay = bench.relay;
  let listening = await serveRelay(relay, { tls });
  const { port } = new URL(listening.url);
  const host = `localhost:${port}`;
  const closing: (() => unknown)[] = [];
  const settings = { wire: "noxy", name: "shop", signingSecret: null, open: true, suspended: false } as const;
  if (enabled) await bench.owner.setForeign({ ...settings, quota });

  /** The published client, with the token of the app's agent. */
  function client(over: Partial<PythonOptions> = {}): PythonClient {
    const endpoint = `https://${host}/`;
    const made = pythonClient({ python, endpoint, token: bench.connection.token, roots, ...over });
    closing.push(made.close);
    return made;
  }

  /** A device that registers, or comes back with its keys, and subscribes. */
  async function device(identity: string, leg: LegName = "stream", keys = newKeys()) {
    const made = connectDevice({
      app: bench.connection.app,
      target: { address: host, ca: tls.cert },
      leg,
      keys,
    });
    closing.push(made.close);
    const known = payloadOf(await made.authenticate(), "authenticate");
    if (known.requiresRegistration) payloadOf(await made.register(identity), "registerDevice");
    payloadOf(await made.subscribe(), "subscribeDecisions");
    return {
      keys,
      /** Answers; which outcome stands. */
      answer: async (decision: string, outcome: "APPROVE" | "REJECT") =>
        payloadOf(await made.answer(decision, outcome), "decisionOutcome").outcome,
      /** The next decision, as both implementations of ML-KEM-768 open it. */
      async next() {
        const { messageId: decision = "", payload } = await made.next();
        if (payload.case !== "decisionEvent") throw new Error(`No decision: ${payload.case}`);
        const { kyberCt: kemCiphertext, nonce, ciphertext } = payload.value;
        const open = async (provider: "node" | "noble") => {
          const sealed = { kemCiphertext, nonce, ciphertext };
          return Buffer.from(await openDecision(keys.secretKey, sealed, { provider }));
        };
        const [byNode, byNoble] = [await open("node"), await open("noble")];
        if (!byNode.equals(byNoble)) throw new Error("Two implementations of ML-KEM-768 do not agree.");
        return { decision, says: decodeDecision(byNode), text: byNode.toString("utf8") };
      },
      async leave() {
        made.finish();
        await made.ended;
      },
    };
  }

  async function stop(): Promise<void> {
    await listening.close();
    await relay.close();
  }

  return {
    client,
    device,
    stop,
    suspendAgent: () => bench.owner.suspend("agent"),
    suspendApp: () => bench.owner.setForeign({ ...settings, quota, suspended: true }),
    strangersToken: newToken,
    /** A relay over the same database on the same port, after `stop`. */
    async start(limits: NonNullable<RelayOptions["limits"]> = {}): Promise<void> {
      relay = await createRelay({ database, logger: false, limits });
      listening = await serveRelay(relay, { tls, port: Number(port) });
    },
    async [Symbol.asyncDispose]() {
      for (const close of closing.reverse()) await close();
      await stop();
      rmSync(folder, { recursive: true });
    },
  };
}
