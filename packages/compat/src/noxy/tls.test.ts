import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ServerCredentials } from "@grpc/grpc-js";
import { UnavailableError } from "@guard/core";
import { afterAll, describe, expect, it } from "vitest";
import { testRelay, token } from "./relay.fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "guard-compat-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A certificate that signs itself. */
function certificate(name: string, names: string) {
  const [cert, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  execFileSync(
    "openssl",
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=relay -addext subjectAltName=${names} -keyout ${key} -out ${cert}`.split(
      " ",
    ),
    { stdio: "ignore" },
  );
  return { path: cert, cert: readFileSync(cert), key: readFileSync(key) };
}

const relays = certificate("relay", "DNS:localhost,IP:127.0.0.1");
const others = certificate("other", "DNS:localhost,IP:127.0.0.1");
const secure = ({ cert, key }: typeof relays) =>
  ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }]);

describe("TLS", () => {
  it("trusts what tls.ca names", async () => {
    await using relay = await testRelay({ credentials: secure(relays) });
    for (const ca of [relays.cert, relays.cert.toString()]) {
      const client = relay.client({ endpoint: `https://localhost:${relay.port}/`, tls: { ca } });
      expect((await client.getQuota()).appName).toBe("shop");
    }
  });

  it.each([
    ["a certificate of nobody's", {}],
    ["another authority's", { tls: { ca: others.cert } }],
  ])("sends nothing to %s, and says what to do", async (_name, config) => {
    await using relay = await testRelay({ credentials: secure(relays) });
    const asking = relay.client({ endpoint: `localhost:${relay.port}`, ...config }).getQuota();
    await expect(asking).rejects.toBeInstanceOf(UnavailableError);
    await expect(asking).rejects.toThrow(/tls\.ca or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH/);
    expect(relay.received).toEqual([]);
  });

  it("sends nothing to a certificate of another name", async () => {
    const elsewhere = certificate("elsewhere", "DNS:elsewhere.example.com");
    await using relay = await testRelay({ credentials: secure(elsewhere) });
    const client = relay.client({ endpoint: `localhost:${relay.port}`, tls: { ca: elsewhere.cert } });
    await expect(client.getQuota()).rejects.toBeInstanceOf(UnavailableError);
    expect(relay.received).toEqual([]);
  });

  it.each(["127.0.0.1", "localhost"])("trusts a certificate for %s", async (host) => {
    await using relay = await testRelay({ credentials: secure(relays) });
    const client = relay.client({ endpoint: `https://${host}:${relay.port}`, tls: { ca: relays.cert } });
    expect((await client.getQuota()).appName).toBe("shop");
  });

  it("sends nothing to a certificate of another address, or of localhost alone", async () => {
    for (const [name, names] of [
      ["address", "IP:127.0.0.2"],
      ["name", "DNS:localhost"],
    ] as const) {
      const elsewhere = certificate(name, names);
      await using relay = await testRelay({ credentials: secure(elsewhere) });
      const endpoint = `https://127.0.0.1:${relay.port}`;
      const asking = relay.client({ endpoint, tls: { ca: elsewhere.cert } }).getQuota();
      await expect(asking).rejects.toThrow(/altnames/i);
      expect(relay.received).toEqual([]);
    }
  });

  it("sends no token in plaintext to a relay that speaks TLS", async () => {
    await using relay = await testRelay({ credentials: secure(relays) });
    const asking = relay.client({ endpoint: `http://localhost:${relay.port}` }).getQuota();
    await expect(asking).rejects.toBeInstanceOf(UnavailableError);
    expect(relay.received).toEqual([]);
  });

  it("trusts the file that GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names; the process ends once the client is closed", async () => {
    await using relay = await testRelay({ credentials: secure(relays) });
    const program = `
      import { initNoxyAgentClient } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
      const client = initNoxyAgentClient({
        endpoint: "https://localhost:${relay.port}", authToken: "${token}", decisionTtlSeconds: 60,
      });
      process.stdout.write((await client.getQuota()).appName);
      client.close();`;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--conditions=@guard/source", "--input-type=module", "-e", program],
      {
        env: { PATH: process.env.PATH ?? "", GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: relays.path },
        cwd: import.meta.dirname,
        timeout: 15_000,
      },
    );
    expect({ stdout, stderr }).toEqual({ stdout: "shop", stderr: "" });
  });
});
