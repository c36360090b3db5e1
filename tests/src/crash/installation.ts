/**
 * A founded app with an agent and the devices of two people, made once; every run starts from a copy of its own at
 * an address of its own.
 */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type Connection,
  ed25519Signer,
  formatConnection,
  foundApp,
  type Roster,
  randomBytes,
} from "@guard/core";
import { enrolOwn } from "@guard/device";
import { fileDeviceStore } from "@guard/device/node";
import { createRelay } from "@guard/relay";
import { people } from "./plan.ts";

export interface Installation {
  /** By the owner's own word. */
  readonly roster: Roster;
  readonly connection: Connection;
  /** Lays out a copy below `directory`, whose relay will be at `relay`. Returns the agent's connection. */
  copy(directory: string, relay: string): Promise<string>;
}

export async function install(directory: string): Promise<Installation> {
  const url = "http://127.0.0.1:1";
  const operatorToken = "operator-token-of-a-test";
  mkdirSync(join(directory, "relay"), { recursive: true });
  const relay = await createRelay({
    database: join(directory, "relay", "relay.db"),
    operatorToken,
    logger: false,
  });
  const fetch: typeof globalThis.fetch = async (input, init) => relay.fetch(new Request(input, init));
  const owner = await foundApp({
    relay: url,
    operatorToken,
    signer: await ed25519Signer(randomBytes(32)),
    fetch,
  });
  const store = fileDeviceStore(join(directory, "device"));
  for (const identity of people) await enrolOwn(owner, { identity, name: "terminal", store, fetch });
  const connection = await owner.addAgent("agent");
  await relay.close();
  const profiles = await store.list();
  return {
    roster: owner.roster(),
    connection,
    async copy(target, address) {
      cpSync(join(directory, "relay"), join(target, "relay"), { recursive: true });
      const own = fileDeviceStore(join(target, "device"));
      for (const profile of profiles) await own.save({ ...profile, relay: address });
      return formatConnection({ ...connection, relay: address });
    },
  };
}
