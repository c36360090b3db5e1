/** A plain grpc-js client of AgentService, and what Noxy's published ones do with it. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type CallOptions,
  Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type MethodDefinition,
} from "@grpc/grpc-js";
import { agentService, agent as wire } from "@guard/wires/noxy";
import { seal } from "./seal.fixture.ts";

export interface Target {
  /** `host:port`. */
  readonly address: string;
  /** PEM; without it plaintext. */
  readonly ca?: string;
}

interface Called extends CallOptions {
  readonly metadata?: Record<string, string>;
  /** Gets the call while it is open. */
  readonly opened?: (call: ClientUnaryCall) => void;
}

export const credentialsFor = ({ ca }: Target) =>
  ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));

export function agentClient(target: Target, token: string | null) {
  const client = new Client(target.address, credentialsFor(target), { "grpc.use_local_subchannel_pool": 1 });
  let asked = 0;

  /** The reply, with the first metadata that came before it. @throws ServiceError */
  function call<I, O>(method: MethodDefinition<I, O>, request: I, options: Called = {}) {
    const { path, requestSerialize, responseDeserialize } = method;
    const { metadata: more = {}, opened, ...rest } = options;
    const metadata = new Metadata();
    if (token !== null) metadata.set("authorization", `Bearer ${token}`);
    for (const [name, value] of Object.entries(more)) metadata.set(name, value);
    return new Promise<{ reply: O; metadata: Metadata }>((resolve, reject) => {
      let first = new Metadata();
      const made = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        rest,
        (error, reply) => (error ? reject(error) : resolve({ reply: reply as O, metadata: first })),
      );
      made.on("metadata", (received) => {
        first = received;
      });
      opened?.(made);
    });
  }
  const id = () => `request-${++asked}`;

  async function route(over: Omit<MessageInitShape<typeof wire.RouteDecisionRequestSchema>, "$typeName">) {
    const { reply } = await call(
      agentService.routeDecision,
      create(wire.RouteDecisionRequestSchema, { requestId: id(), ...over }),
    );
    return reply;
  }
  async function devices(identityId: string): Promise<wire.IdentityDevice[]> {
    const request = create(wire.GetIdentityDevicesRequestSchema, { requestId: id(), identityId });
    return (await call(agentService.getIdentityDevices, request)).reply.devices;
  }

  return {
    call,
    route,
    devices,
    /** One decision for all devices of an identity, sealed to each, one after the other. */
    async send(
      identityId: string,
      actionable: unknown,
      options: { decision?: string; ttlSeconds?: number } = {},
    ) {
      const { decision = crypto.randomUUID(), ttlSeconds = 600 } = options;
      const routed: wire.DeliveryOutcome[] = [];
      for (const { deviceId: targetDeviceId, pqPublicKey } of await devices(identityId)) {
        const sealed = seal(pqPublicKey, JSON.stringify(actionable));
        routed.push(await route({ ...sealed, decisionId: decision, targetDeviceId, ttlSeconds }));
      }
      return { decision, statuses: routed.map(({ status }) => status) };
    },
    async outcome(decisionId: string, identityId: string, wait?: number, options: Called = {}) {
      const request = create(wire.GetDecisionOutcomeRequestSchema, {
        requestId: id(),
        decisionId,
        identityId,
      });
      const metadata = wait === undefined ? {} : { "guard-wait-ms": String(wait) };
      return (await call(agentService.getDecisionOutcome, request, { metadata, ...options })).reply;
    },
    quota: async () =>
      (await call(agentService.getQuota, create(wire.GetQuotaRequestSchema, { requestId: id() }))).reply,
    close: () => client.close(),
  };
}
