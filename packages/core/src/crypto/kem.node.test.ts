import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("sealing and opening print nothing", async () => {
  const script = `
    import { decryptionKey, hpkeSeal } from ${JSON.stringify(new URL("./hpke.ts", import.meta.url).href)};
    const key = await decryptionKey(crypto.getRandomValues(new Uint8Array(32)));
    const aad = new Uint8Array(3);
    const publicKey = Buffer.from(key.publicKey, "base64url");
    const sealed = await hpkeSeal(publicKey, new Uint8Array(8), { info: "test", aad });
    process.stdout.write(String((await key.open(sealed, "test", aad)).length));`;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", script],
    { env: { PATH: process.env.PATH ?? "" } },
  );
  expect({ stdout, stderr }).toEqual({ stdout: "8", stderr: "" });
});
