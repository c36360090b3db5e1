import { createHash, createHmac, randomBytes, randomUUID } from "node:crypto";
import { fingerprint } from "@guard/core";
import { expect, test } from "vitest";
import { guard, run, served } from "./process.fixture.ts";

const wallet = "0xAbCdEf0000000000000000000000000000000001";

/** What Noxy's browser client does with new keys: one frame out, one back. */
function browser(relay: string, appId: string) {
  const keys = { publicKey: randomBytes(32), pqPublicKey: randomBytes(1184) };
  const base64 = {
    publicKey: keys.publicKey.toString("base64"),
    pqPublicKey: keys.pqPublicKey.toString("base64"),
  };
  async function call(payload: object) {
    const socket = new WebSocket(`${relay.replace("http", "ws")}/`);
    const message = { requestId: randomUUID(), appId, timestamp: Date.now(), payload };
    const nonce = randomBytes(12).toString("base64");
    const answered = new Promise<MessageEvent>((resolve, reject) => {
      socket.onmessage = resolve;
      socket.onerror = reject;
    });
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    socket.send(Buffer.from(JSON.stringify({ ...message, nonce })));
    const { data } = await answered;
    socket.close();
    return JSON.parse(typeof data === "string" ? data : await new Response(data).text());
  }
  function mac(secret: string): string {
    const hex = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    const parts = [
      "NOXY_DEVICE_REGISTER_V1",
      appId,
      "wallet",
      wallet,
      hex(keys.publicKey),
      hex(keys.pqPublicKey),
      "browser",
    ];
    return createHmac("sha256", secret).update(parts.join("\x1f")).digest("base64");
  }
  return {
    async register(secret?: string): Promise<string> {
      const signature = secret === undefined ? `0x${"ab".repeat(65)}` : mac(secret);
      const payload = { devicePubkeys: base64, walletAddress: wallet, signature, type: "browser" };
      const { registerDevice, error } = await call(payload);
      if (error) throw new Error(error.message);
      return registerDevice.deviceId;
    },
  };
}

const value = (out: string, name: string) => new RegExp(`^${name} +(\\S+)$`, "m").exec(out)?.[1] as string;

test("noxy-open-registration: enable, devices, confirm, revoke, from an empty directory", async () => {
  const { url } = await served();
  expect(await run(["noxy", "enable"])).toMatchObject({
    code: 1,
    err: expect.stringContaining("guard init"),
  });
  await run(["init", "--relay", url]);
  expect((await run(["noxy", "devices"])).err).toMatch(/guard noxy enable/);
  expect((await run(["noxy", "suspend"])).err).toMatch(/not switched on/);

  const enabled = await run(["noxy", "enable", "--agent", "support", "--quota", "100"]);
  expect(enabled).toMatchObject({ code: 0, out: expect.stringContaining(new URL(url).host) });
  const app = value(enabled.out, "App id");
  const token = value(enabled.out, "App token");
  expect(enabled.out).not.toContain("Secret");
  expect((await run(["noxy", "devices"])).out).toBe("No device has registered.\n");

  const phone = await browser(url, app).register();
  const listed = await run(["noxy", "devices"]);
  expect(listed.out).toMatch(/^waiting {2}/);
  for (const part of [phone, fingerprint(phone), wallet.toLowerCase(), "browser"])
    expect(listed.out).toContain(part);

  // Nobody is there to compare.
  expect(await run(["noxy", "confirm", phone.slice(0, 8), "--yes"])).toMatchObject({
    code: 1,
    err: expect.stringContaining("whole id"),
  });
  expect((await run(["noxy", "confirm", phone])).code).toBe(1);
  expect((await run(["noxy", "confirm", "nobody", "--yes"])).err).toMatch(/No device of that id/);
  expect((await run(["noxy", "revoke", phone])).err).toMatch(/waits, and gets nothing/);
  expect(await run(["noxy", "confirm", phone, "--yes", "--name", "Alice's phone"])).toMatchObject({
    code: 0,
  });
  expect((await run(["noxy", "confirm", phone, "--yes"])).err).toMatch(/confirmed already/);
  expect((await run(["noxy", "devices"])).out).toMatch(/^active/);
  expect((await run(["roster"])).out).toMatch(new RegExp(`noxy +${phone.slice(0, 8)} +Alice's phone`));

  // A secret lets devices in by themselves; what is not named stays as it was.
  const secret = value((await run(["noxy", "enable", "--secret", "--name", "Shop"])).out, "Secret");
  const other = await browser(url, app).register(secret);
  await expect(browser(url, app).register("another secret")).rejects.toThrow(/signature/);
  const again = await run(["noxy", "enable", "--agent", "support"]);
  expect(again.out).toMatch(/Name +Shop[\s\S]*show the secret[\s\S]*Quota +100 decisions/);
  expect(again.out).not.toContain(secret);
  expect(value(again.out, "App token")).not.toBe(token);
  expect((await run(["noxy", "devices"])).out).toMatch(
    new RegExp(`^active +${other}[\\s\\S]*\nactive +${phone}`),
  );

  // One that the roster does not have yet is revoked there all the same.
  expect((await run(["noxy", "revoke", other.slice(0, 8), "--reason", "lost"])).code).toBe(0);
  expect((await run(["noxy", "revoke", phone])).code).toBe(0);
  expect((await run(["noxy", "devices"])).out).toMatch(/^revoked[\s\S]*\nrevoked/);
  expect((await run(["noxy", "suspend"])).code).toBe(0);
  await expect(browser(url, app).register(secret)).rejects.toThrow(/suspended/);
  const open = await run(["noxy", "enable", "--no-secret", "--open", "--quota", "none"]);
  expect(open).toMatchObject({ code: 0, err: expect.stringContaining("answer as anybody") });
  expect(open.out).toMatch(/open\nQuota +none/);
}, 240_000);

test.each([["x"], ["-1"], ["1.5"], ["1e3"]])("a quota is a whole number: %s", async (quota) => {
  const { code, err } = await guard(["noxy", "enable", `--quota=${quota}`]).ended;
  expect([code, err]).toEqual([1, expect.stringContaining("is no quota")]);
});
