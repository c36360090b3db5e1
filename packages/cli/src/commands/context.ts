/** What the commands share: the state directory, the owner's app, and what is printed alike everywhere. */
import { ConfigurationError, ed25519Signer, type Owner, openOwner } from "@guard/core";
import type { Command } from "commander";
import { type Home, openHome } from "../home.ts";
import { readRootKey } from "../root-key.ts";
import { passphrase } from "../terminal.ts";

/** The state directory that the command line names. */
export function homeOf(command: Command): Home {
  const { home } = command.optsWithGlobals<{ home?: string }>();
  return openHome(home);
}

/** The app that was set up here, with its root key opened. @throws ConfigurationError */
export async function ownerOf(home: Home): Promise<Owner> {
  const { relay, app, token } = await home.owner();
  const signer = await ed25519Signer(await readRootKey(home.rootKeyFile, passphrase));
  return openOwner({ relay, app, token, signer, roster: home.roster });
}

/** `90s`, `15m`, `24h`, `7d` in milliseconds. @throws ConfigurationError */
export function durationOf(text: string): number {
  const match = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  if (!match)
    throw new ConfigurationError(`"${text.slice(0, 40)}" is not a duration. Write 90s, 15m, 24h or 7d.`);
  const units = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

/** A port number. @throws ConfigurationError */
export function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new ConfigurationError(`"${text.slice(0, 40)}" is not a port. Give a number from 0 to 65535.`);
}

/** Collects an option that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
