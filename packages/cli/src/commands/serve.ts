/** `guard serve`: runs a relay. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ConfigurationError } from "@guard/core";
import type { Command } from "commander";
import { originOf } from "../page.ts";
import { print, remark } from "../terminal.ts";
import { collect, portOf } from "./context.ts";

interface ServeOptions {
  readonly database: string;
  readonly port: number;
  readonly host: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly behindProxy?: boolean;
  readonly allowOrigin?: readonly string[];
  readonly page?: boolean;
}

export function addServe(program: Command): void {
  program
    .command("serve")
    .description("run a relay")
    .option("--database <file>", "SQLite file of the relay", "guard-relay.db")
    .option("--port <number>", "port; 0 takes a free one", portOf, 8787)
    .option("--host <address>", "address to listen on; others than loopback need TLS or a proxy", "127.0.0.1")
    .option("--tls-cert <file>", "certificate chain (PEM)")
    .option("--tls-key <file>", "private key of the certificate (PEM)")
    .option("--behind-proxy", "a proxy in front of it ends TLS")
    .option("--allow-origin <url>", "where a page is hosted that may talk to it (several times)", collect)
    .option("--page", "serve the page too; such a page is as trusted as this relay")
    .addHelpText(
      "after",
      `
GUARD_OPERATOR_TOKEN is what apps are set up with ("guard init"). Without it one is made and printed, good
until the relay stops. Apps that are set up keep working without it.

Examples:
  guard serve
  guard serve --allow-origin https://approve.example.com
  guard serve --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem --database /var/lib/guard/relay.db`,
    )
    .action(async (options: ServeOptions) => {
      refuseRootKey(options.database);
      if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) {
        throw new ConfigurationError("--tls-cert and --tls-key come together.");
      }
      const { tlsCert, tlsKey } = options;
      const tls = tlsCert && tlsKey ? { cert: readPem(tlsCert), key: readPem(tlsKey) } : null;
      const given = process.env.GUARD_OPERATOR_TOKEN;
      const operatorToken = given || randomBytes(32).toString("base64url");
      await mkdir(dirname(resolve(options.database)), { recursive: true, mode: 0o700 });
      // Loaded here: the other commands do without the server, and start faster.
      const { createRelay, serveRelay } = await import("@guard/relay");
      const page = options.page ? await (await import("@guard/approver")).readPage() : null;
      const relay = await createRelay({
        database: options.database,
        operatorToken,
        allowedOrigins: (options.allowOrigin ?? []).map(originOf),
        ...(page ? { page } : {}),
      });
      const server = await serveRelay(relay, {
        host: options.host,
        port: options.port,
        ...(tls ? { tls } : {}),
        ...(options.behindProxy ? { behindProxy: true } : {}),
      }).catch(async (error: unknown) => {
        await relay.close();
        throw error;
      });
      // Listened for before anybody is told that the relay is there, and may stop it.
      const stopped = new Promise<void>((done) => {
        for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
      });
      print(`Relay at ${server.url}`);
      if (page) remark(`Page at ${server.url}/, as trusted as this relay (sha256 ${page.hash})`);
      if (!given) remark(`Operator token, shown this once: ${operatorToken}`);
      await stopped;
      await server.close();
      await relay.close();
    });
}

function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`The file ${file} cannot be read. Name a PEM file.`, { cause });
  }
}

/** Whoever takes the relay's machine must not find the key that says who may approve. */
function refuseRootKey(database: string): void {
  const directory = dirname(resolve(database));
  const found = [join(directory, "root.key"), join(directory, ".guard", "root.key")].find(existsSync);
  if (!found) return;
  throw new ConfigurationError(
    `There is a root key beside the relay's database: ${found}. Whoever breaks into the relay would have both. Move it to the owner's machine, or put the database elsewhere with --database.`,
  );
}
