import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOf } from "../crypto/hash.ts";
import { ed25519Signer } from "../crypto/signature.ts";
import { type Chain, openChain } from "./chain.ts";
import { fileEvidence } from "./file.ts";
import { readEvidence } from "./lines.ts";
import { type EvidenceStore, memoryEvidence } from "./store.ts";
import { verifyChain } from "./verify.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "evidence-"));
  file = join(directory, "made", "chain.jsonl");
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const app = digestOf("app");
const open = async (store: EvidenceStore, agent = "bot"): Promise<Chain> =>
  openChain({
    ...{ store, app, agent, signer: await ed25519Signer(new Uint8Array(32)) },
    roster: () => ({ seq: 0, hash: app }),
  });
const note = (chain: Chain, text: string) =>
  chain.append({ type: "MEMORY_WRITE", session: "s", payload: { text } });
const run = { call: "c", request: app, execution_id: "e", effective: app };
const lines = () => fs.readFileSync(file, "utf8").split("\n").slice(0, -1);

test("a chain is durable, private, found again and continued", async () => {
  const chain = await open(fileEvidence({ file }));
  note(chain, "one\u2028\u{1f600}");
  chain.append({ type: "TOOL_CALL_EXECUTED", session: null, payload: run });
  await chain.flush();
  expect(lines()).toHaveLength(3);
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  expect(fs.statSync(join(directory, "made")).mode & 0o777).toBe(0o700);
  await chain.close();
  const again = await open(fileEvidence({ file }));
  expect(again.id).toBe(chain.id);
  expect(again.head()).toEqual(chain.head());
  expect(again.consumed(app)).toBe(true);
  expect(again.consumed("other")).toBe(false);
  await Promise.all([again.checkpoint(), again.flush(), again.close()]);
  expect(() => note(again, "late")).toThrow(expect.objectContaining({ code: "unavailable" }));
  const { problems } = await verifyChain(readEvidence(file), { roster: null });
  expect(problems).toEqual(["seq 2: call c was never proposed"]);
});

test("events of concurrent calls keep the order of their appends, and checkpoints cover what they name", async () => {
  const store = memoryEvidence();
  const chain = await open(store);
  await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      note(chain, `before ${i}`);
      await chain.checkpoint();
      note(chain, `after ${i}`);
      if (i % 3 === 0) await chain.checkpoint();
    }),
  );
  await chain.close();
  const report = await verifyChain(store.lines, { roster: null });
  expect(report).toMatchObject({ valid: true, uncovered: 0 });
  expect(report.checkpoints).toBeLessThan(10);
});

test("torn-line: a good file cut anywhere in its last line, and here and there before, loses no whole event", async () => {
  const chain = await open(fileEvidence({ file }));
  note(chain, "one");
  note(chain, "zwei \u00fc\u{1f600}\u2028");
  await chain.flush();
  await chain.close();
  const bytes = fs.readFileSync(file);
  const firstEnd = bytes.indexOf(10);
  const copy = join(directory, "copy.jsonl");
  const lastStart = bytes.lastIndexOf(10, bytes.length - 2);
  for (let cut = 0; cut <= bytes.length; cut++) {
    // Each cut costs an fsync: of earlier lines every end and every 13th byte stand for the rest.
    const boundary = bytes[cut] === 10 || bytes[cut - 1] === 10;
    if (cut < lastStart && cut % 13 !== 0 && !boundary) continue;
    fs.writeFileSync(copy, bytes.subarray(0, cut));
    const store = fileEvidence({ file: copy });
    const kept: string[] = [];
    for await (const line of (await store.open()).lines) kept.push(line);
    await store.close();
    // A whole line is whole with or without its LF.
    const whole =
      bytes
        .subarray(0, cut + 1)
        .toString("latin1")
        .split("\n").length - 1;
    expect(kept).toEqual(lines().slice(0, Math.min(whole, lines().length)));
    const torn = fs.readdirSync(directory).filter((name) => name.includes(".torn-"));
    const ends = cut === 0 || bytes[cut - 1] === 10 || bytes[cut] === 10;
    expect(torn).toHaveLength(ends ? 0 : 1);
    for (const name of torn) {
      const start = bytes.subarray(0, cut).lastIndexOf(10) + 1;
      expect(fs.readFileSync(join(directory, name))).toEqual(bytes.subarray(start, cut));
      fs.rmSync(join(directory, name));
    }
  }
  fs.writeFileSync(copy, bytes.subarray(0, firstEnd + 20));
  const mended = await open(fileEvidence({ file: copy }));
  expect(mended.id).toBe(chain.id);
  note(mended, "again");
  await mended.close();
  expect((await verifyChain(readEvidence(copy), { roster: null })).valid).toBe(true);
}, 60_000);

test("chain-tamper: a damaged or shortened file is not continued", async () => {
  const chain = await open(fileEvidence({ file }));
  for (const text of ["one", "two", "three"]) note(chain, text);
  await chain.close();
  fs.mkdirSync(join(directory, "bytes"));
  const bytes = fs.readFileSync(file);
  bytes[bytes.indexOf("two")] = 0xff;
  fs.writeFileSync(join(directory, "bytes", "chain.jsonl"), bytes);
  const report = await verifyChain(readEvidence(join(directory, "bytes", "chain.jsonl")), { roster: null });
  expect(report.firstBad?.seq).toBe(2);
  const good = lines();
  const attempt = async (kept: string[]) => {
    fs.writeFileSync(file, kept.map((line) => `${line}\n`).join(""));
    return open(fileEvidence({ file }));
  };
  const damaged = expect.objectContaining({
    code: "verification_failed",
    message: expect.stringContaining("event 2"),
  });
  await expect(attempt(good.with(2, (good[2] as string).replace("two", "too")))).rejects.toEqual(damaged);
  await expect(attempt(good.with(2, "\u0000"))).rejects.toEqual(damaged);
  await expect(attempt(good.slice(0, 2))).rejects.toEqual(damaged);
  await expect(attempt([])).rejects.toThrow("event 0 is missing");
  await (await attempt(good)).close();
  await expect(open(fileEvidence({ file }), "other")).rejects.toMatchObject({ code: "configuration" });
});

test("two-writers: refused in one process, and slots are found", async () => {
  const one = await open(fileEvidence({ file }));
  await expect(open(fileEvidence({ file }))).rejects.toMatchObject({
    code: "configuration",
    message: expect.stringContaining("{ directory, name }"),
  });
  note(one, "still mine");
  await one.flush();
  const slots = { directory: join(directory, "made"), name: "chain" };
  const two = await open(fileEvidence(slots));
  const three = await open(fileEvidence(slots));
  expect(new Set([one.id, two.id, three.id]).size).toBe(3);
  await two.close();
  const again = await open(fileEvidence(slots));
  expect(again.id).toBe(two.id);
  await Promise.all([one, three, again].map((chain) => chain.close()));
  const memory = memoryEvidence();
  await open(memory);
  await expect(open(memory)).rejects.toMatchObject({ code: "configuration" });
});

test("two-writers: two processes; kill -9 frees the lock and loses nothing durable", async () => {
  const script = `
    const { fileEvidence } = await import(${JSON.stringify(new URL("./file.ts", import.meta.url).href)});
    const { openChain } = await import(${JSON.stringify(new URL("./chain.ts", import.meta.url).href)});
    const { ed25519Signer } = await import(${JSON.stringify(new URL("../crypto/signature.ts", import.meta.url).href)});
    const chain = await openChain({ store: fileEvidence({ file: process.argv[1] }), app: process.argv[2],
      agent: "bot", signer: await ed25519Signer(new Uint8Array(32)), roster: () => ({ seq: 0, hash: process.argv[2] }) });
    chain.append({ type: "MEMORY_WRITE", session: null, payload: { text: "durable" } });
    await chain.flush();
    console.log(chain.id);
    setInterval(() => {}, 1000);`;
  const args = ["--conditions=@guard/source", "--input-type=module", "-e", script, file, app];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const id = await new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (data) => resolve(String(data).trim()));
      child.once("exit", () => reject(new Error("the other process ended")));
    });
    await expect(open(fileEvidence({ file }))).rejects.toMatchObject({ code: "configuration" });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    const chain = await open(fileEvidence({ file }));
    expect(chain.id).toBe(id);
    expect(lines().some((line) => line.includes("durable"))).toBe(true);
    await chain.close();
  } finally {
    child.kill("SIGKILL");
  }
}, 20_000);

test("act-without-log: after a failed flush nothing is taken any more", async () => {
  const memory = memoryEvidence();
  let broken = false;
  const cause = new Error("ENOSPC");
  const store: EvidenceStore = {
    place: "a full disk",
    open: () => memory.open(),
    append: (line) => memory.append(line),
    flush: () => (broken ? Promise.reject(cause) : memory.flush()),
    close: () => memory.close(),
  };
  const chain = await open(store);
  note(chain, "fine");
  await chain.flush();
  broken = true;
  note(chain, "not durable");
  await expect(chain.flush()).rejects.toMatchObject({ code: "unavailable", cause });
  broken = false;
  expect(() => note(chain, "later")).toThrow(expect.objectContaining({ code: "unavailable" }));
  await expect(chain.flush()).rejects.toMatchObject({ code: "unavailable" });
  await expect(chain.checkpoint()).rejects.toMatchObject({ code: "unavailable" });
  await expect(chain.close()).rejects.toMatchObject({ code: "unavailable", cause });
});

test("act-without-log: a file that cannot be written", async () => {
  const unavailable = { code: "unavailable", cause: expect.anything() };
  const device = join(directory, "device");
  fs.symlinkSync("/dev/null", device);
  await expect(open(fileEvidence({ file: device }))).rejects.toMatchObject({ code: "configuration" });
  await expect(open(fileEvidence({ file: directory }))).rejects.toMatchObject(unavailable);
  fs.writeFileSync(join(directory, "made"), "a file, not a directory");
  await expect(open(fileEvidence({ file }))).rejects.toMatchObject(unavailable);
});

test.runIf(process.platform === "linux")(
  "act-without-log: the disk fills up",
  async () => {
    const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const script = `
    const { fileEvidence } = await import(${here("./file.ts")});
    const store = fileEvidence({ file: process.argv[1] });
    await store.open();
    const codes = [];
    for (let i = 0; i < 6; i++) {
      try { store.append("x".repeat(2000)); await store.flush(); codes.push("durable"); }
      catch (error) { codes.push(error.code + " " + error.cause?.code); }
    }
    await store.close();
    console.log(codes.join());`;
    const node = [process.execPath, "--conditions=@guard/source", "--input-type=module", "-e", script, file];
    // A limit on the size of files, 8 KiB, stands in for a full disk: the write itself fails, half done.
    const limited = ["-c", 'trap "" XFSZ; ulimit -f 8; exec "$@"', "bash", ...node];
    const child = spawn("bash", limited, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    await new Promise((resolve) => child.once("close", resolve));
    const [broken, fine] = ["unavailable EFBIG", "durable"];
    expect(output.trim().split(",")).toEqual([fine, fine, fine, fine, broken, broken]);
  },
  20_000,
);

test("config-fail-open: wrong options are refused at construction", () => {
  for (const options of [{}, { file: "" }, { file, fsync: false }, { directory, name: "../up" }]) {
    expect(() => fileEvidence(options as never)).toThrow(expect.objectContaining({ code: "configuration" }));
  }
});
