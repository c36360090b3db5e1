/**
 * A relay as Noxy's clients expect it, which is not ours: a plain grpc-js server of the same proto that writes down what
 * it got and answers what the test says.
 */
import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { agent, agentService } from "@guard/wires/noxy";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { initNoxyAgentClient, type NoxyAgentClient } from "./client.ts";
import { openDecision } from "./crypto.ts";
import { decodeDecision } from "./json.ts";
import type { NoxyConfig } from "./options.ts";

type Init<M extends keyof typeof agentService> = {
  routeDecision: MessageInitShape<typeof agent.DeliveryOutcomeSchema>;
  getDecisionOutcome: MessageInitShape<typeof agent.GetDecisionOutcomeResponseSchema>;
  getQuota: MessageInitShape<typeof agent.GetQuotaResponseSchema>;
  getIdentityDevices: MessageInitShape<typeof agent.GetIdentityDevicesResponseSchema>;
}[M];

type Fields<T> = Omit<T, "$typeName" | "$unknown">;
/** A request of any of the methods. */
export type Request = Fields<agent.RouteDecisionRequest> &
  Fields<agent.GetDecisionOutcomeRequest> &
  Fields<agent.GetIdentityDevicesRequest>;

export interface Received {
  readonly method: keyof typeof agentService;
  readonly request: Request;
  readonly token: string | undefined;
  readonly waitMs: string | undefined;
  readonly at: number;
}

/** What the relay answers: a message, a promise of one, or an error. */
export type Answers = {
  [M in keyof typeof agentService]: (received: Received) => Init<M> | Promise<Init<M>>;
};

export const token = "app-token";

/** A failure as grpc-js sends it. */
export function failure(code: status, details = "no", retryAfterMs?: number): Partial<ServiceError> {
  const metadata = new Metadata();
  if (retryAfterMs !== undefined) metadata.set("retry-after-ms", String(retryAfterMs));
  return Object.assign(new Error(details), { code, details, metadata });
}

export interface Device {
  readonly deviceId: string;
  readonly publicKey: Uint8Array;
  readonly pqPublicKey: Uint8Array;
  open(request: Request): Promise<unknown>;
}

export function newDevice(deviceId: string = randomUUID()): Device {
  const { publicKey, secretKey } = ml_kem768.keygen();
  return {
    deviceId,
    publicKey: new Uint8Array(32),
    pqPublicKey: publicKey,
    async open({ kyberCt, nonce, ciphertext }) {
      return decodeDecision(await openDecision(secretKey, { kemCiphertext: kyberCt, nonce, ciphertext }));
    },
  };
}

export interface TestRelay {
  readonly received: readonly Received[];
  readonly port: number;
  of(method: Received["method"]): readonly Received[];
  client(config?: Partial<NoxyConfig>): NoxyAgentClient;
  /** Breaks all connections; its clients stay. */
  stop(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface TestRelayOptions {
  readonly answers?: Partial<Answers>;
  readonly devices?: readonly Device[];
  /** Whether every answer carries our relay's mark. */
  readonly ours?: boolean;
  readonly credentials?: ServerCredentials;
  readonly port?: number;
  /** What goes over the wire in place of every answer. */
  readonly garbage?: Buffer;
}

export async function testRelay(options: TestRelayOptions = {}): Promise<TestRelay> {
  const received: Received[] = [];
  const clients: NoxyAgentClient[] = [];
  const answers: Answers = {
    routeDecision: ({ request }) => ({ requestId: request.requestId, decisionId: request.decisionId }),
    getDecisionOutcome: ({ request }) => ({ requestId: request.requestId, pending: true }),
    getQuota: ({ request }) => ({
      requestId: request.requestId,
      appName: "shop",
      quotaTotal: 1000n,
      quotaRemaining: 999n,
    }),
    getIdentityDevices: ({ request }) => ({
      requestId: request.requestId,
      devices: (options.devices ?? []).map(({ deviceId, publicKey, pqPublicKey }) => ({
        deviceId,
        publicKey,
        pqPublicKey,
      })),
    }),
    ...options.answers,
  };

  const handler =
    <M extends keyof typeof agentService>(method: M, made: (init: Init<M>) => unknown) =>
    async (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>): Promise<void> => {
      const [authorization] = call.metadata.get("authorization");
      const [waitMs] = call.metadata.get("guard-wait-ms");
      const one: Received = {
        method,
        request: call.request as Request,
        token: authorization?.toString(),
        waitMs: waitMs?.toString(),
        at: performance.now(),
      };
      received.push(one);
      try {
        if (one.token !== `Bearer ${token}`) throw failure(status.UNAUTHENTICATED, "unknown token");
        const message = made(await answers[method](one));
        if (options.ours) {
          const initial = new Metadata();
          initial.set("guard-relay", "1");
          call.sendMetadata(initial);
        }
        reply(null, message);
      } catch (error) {
        reply(error as ServiceError);
      }
    };

  const server = new Server();
  const handlers: UntypedServiceImplementation = {
    routeDecision: handler("routeDecision", (init) => create(agent.DeliveryOutcomeSchema, init)),
    getDecisionOutcome: handler("getDecisionOutcome", (init) =>
      create(agent.GetDecisionOutcomeResponseSchema, init),
    ),
    getQuota: handler("getQuota", (init) => create(agent.GetQuotaResponseSchema, init)),
    getIdentityDevices: handler("getIdentityDevices", (init) =>
      create(agent.GetIdentityDevicesResponseSchema, init),
    ),
  };
  const { garbage } = options;
  const garbled = Object.fromEntries(
    Object.entries(agentService).map(([name, method]) => [
      name,
      { ...method, responseSerialize: () => garbage },
    ]),
  ) as unknown as ServiceDefinition;
  server.addService(garbage ? garbled : agentService, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `127.0.0.1:${options.port ?? 0}`,
      options.credentials ?? ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound)),
    );
  });

  return {
    received,
    port,
    of: (method) => received.filter((one) => one.method === method),
    client(config = {}) {
      const client = initNoxyAgentClient({
        endpoint: `http://127.0.0.1:${port}`,
        authToken: token,
        decisionTtlSeconds: 3600,
        ...config,
      });
      clients.push(client);
      return client;
    },
    stop: () => server.forceShutdown(),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      server.forceShutdown();
    },
  };
}
