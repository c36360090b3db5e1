/** Chains of the evidence vectors that somebody changed, and checkpoints that do not fit. */
import { canonicalJson, type Signed } from "../../packages/core/src/index.ts";
import type { Add, Given } from "./evidence.ts";
import { word } from "./random.ts";
import { software } from "./signers.ts";
import { hashOf, Story, short } from "./story.ts";
import type { World } from "./world.ts";

type Event = { seq: number; prev_hash?: string; payload: Record<string, unknown> } & Record<string, unknown>;
const read = (line: string | undefined) => JSON.parse(line as string) as Event;
const changed = (line: string | undefined) => canonicalJson({ ...read(line), ts_unix_ms: 1 } as never);

/** Links everything from `from` on again, as somebody without the key can. */
function relinked(lines: readonly string[], from: number): string[] {
  const out = lines.slice(0, from);
  for (const line of lines.slice(from)) {
    const { prev_hash: _, ...event } = read(line);
    const last = out.at(-1);
    out.push(
      canonicalJson({ ...event, seq: out.length, ...(last ? { prev_hash: hashOf(last) } : {}) } as never),
    );
  }
  return out;
}

/** Events: 0 checkpoint, 1–7 call a, 8 checkpoint, 9–13 call b, 14 checkpoint. */
export async function tampered(w: World, add: Add): Promise<void> {
  const story = await Story.begin(w);
  await story.approved("a");
  await story.checkpoint();
  story.allow("b");
  await story.checkpoint();
  const good = story.lines;
  const checkpoint = story.checkpoints.at(-1) as Signed;
  const bad = (name: string, at: number, lines: readonly string[], rest: Partial<Given> = {}) =>
    add(`chain-tamper: ${name}`, { lines, checkpoint, bad: at, ...rest });
  const put = (at: number, line: string) => good.with(at, line);

  await bad("modify", 4, put(4, changed(good[4])));
  await bad("modify the first", 0, put(0, changed(good[0])));
  await bad("modify and link again", 7, relinked(put(4, changed(good[4])), 5));
  await bad(
    "modify after the newest checkpoint inside, and link again",
    13,
    relinked(good.slice(0, 14).with(10, changed(good[10])), 11),
  );
  await bad(
    "change the link",
    5,
    put(5, canonicalJson({ ...read(good[5]), prev_hash: "0".repeat(64) } as never)),
  );
  await bad(
    "change the link of the last event",
    13,
    put(14, canonicalJson({ ...read(good[14]), prev_hash: "0".repeat(64) } as never)),
  );
  await bad("delete", 5, good.toSpliced(5, 1));
  await bad("delete the first", 0, good.slice(1));
  await bad("delete and link again", 1, relinked(good.toSpliced(1, 1), 1));
  await bad("insert", 6, good.toSpliced(6, 0, good[3] as string));
  await bad("insert and link again", 7, relinked(good.toSpliced(4, 0, good[2] as string), 4));
  await bad("reorder", 4, good.with(4, good[5] as string).with(5, good[4] as string));
  await bad("truncate", 12, good.slice(0, 12));
  await bad("truncate to nothing", 0, []);
  await bad("fork", 5, good.toSpliced(6, 0, changed(good[5])));
  await bad("fork of the first", 0, good.toSpliced(1, 0, changed(good[0])));
  await bad("reuse a sequence number", 6, put(6, canonicalJson({ ...read(good[6]), seq: 5 } as never)));
  await bad("skip a sequence number", 6, put(6, canonicalJson({ ...read(good[6]), seq: 7 } as never)));
  await bad(
    "no link",
    6,
    put(6, canonicalJson((({ prev_hash: _, ...event }) => event)(read(good[6])) as never)),
  );
  await bad(
    "a link at the first event",
    0,
    put(0, canonicalJson({ ...read(good[0]), prev_hash: "0".repeat(64) } as never)),
  );
  await bad(
    "another app's event",
    6,
    relinked(put(6, canonicalJson({ ...read(good[6]), tenant_id: word("app") } as never)), 6),
  );
  await bad(
    "another agent's event",
    6,
    relinked(put(6, canonicalJson({ ...read(good[6]), user_id: "other" } as never)), 6),
  );
  await bad("an unknown member", 6, put(6, canonicalJson({ ...read(good[6]), note: "x" } as never)));
  await bad(
    "an unknown event type",
    6,
    relinked(put(6, canonicalJson({ ...read(good[6]), event_type: "TOOL_CALL_FORGOTTEN" } as never)), 6),
  );
  await bad(
    "a payload that is no object",
    6,
    put(6, canonicalJson({ ...read(good[6]), payload: [] } as never)),
  );
  await bad(
    "a time that is no integer",
    6,
    put(6, canonicalJson({ ...read(good[6]), ts_unix_ms: 1.5 } as never)),
  );
  await bad("canonical-confusion: white space", 6, put(6, ` ${good[6]}`));
  await bad("canonical-confusion: a carriage return", 6, put(6, `${good[6]}\r`));
  await bad(
    "canonical-confusion: a key twice",
    6,
    put(6, (good[6] as string).replace("{", '{"call_again":1,"call_again":1,')),
  );
  await bad("an empty line", 6, good.toSpliced(6, 0, ""));
  await bad("a torn last line", 14, put(14, (good[14] as string).slice(0, 200)));
  await bad("not JSON", 3, put(3, "\ufffd"));

  const stranger = await software("stranger");
  const copy = await Story.begin(w, { signer: stranger });
  await copy.approved("a");
  await add("chain-tamper: re-sign with another key", { lines: copy.lines, bad: 0 });
  const impostor = await Story.begin(w, { agent: "nobody" });
  impostor.allow("a");
  await add("an agent that is not on the roster", { lines: impostor.lines, bad: 0 });
  await add("cross-tenant: another app's roster", { lines: good, roster: "stranger", bad: 0 });
  await add("the roster to verify with is too old", {
    lines: (await Story.begin(w, { head: w.head(17) })).lines,
    roster: "calm",
    bad: 0,
  });
  await add("roster-fork: a head that is not on the roster", {
    lines: (await Story.begin(w, { head: { seq: 5, hash: word("x") } })).lines,
    bad: 0,
  });
}

/** Checkpoints that do not fit. */
export async function checkpoints(w: World, add: Add): Promise<void> {
  const stranger = await software("stranger");
  const bad = async (name: string, at: number | "error", change: object, signer = w.agent.signer) => {
    const story = await Story.begin(w);
    story.allow("a");
    await story.checkpoint(change as never, signer);
    await add(`checkpoint: ${name}`, { lines: story.lines, bad: at });
  };
  await bad("not signed by the agent", 6, {}, stranger);
  await bad("of another chain", 6, { chain: short("another") });
  await bad("of another agent", 6, { agent: "other" });
  await bad("covers another event", 5, { hash: "0".repeat(64) });
  await bad("covers an event that comes later", 6, { seq: 6 });
  await bad("covers nothing", 6, { seq: null, hash: null });
  await bad("a hash without a number", 6, { seq: null });
  await bad("an unknown member", 6, { note: "x" });
  await bad("downgrade: another version", 6, { type: "guard/v2/checkpoint" });
  await bad("names a roster that there is not", 6, { roster: { seq: 99, hash: word("x") } });
  const back = await Story.begin(w);
  back.allow("a");
  await back.checkpoint();
  await back.checkpoint({ seq: 3, hash: hashOf(back.lines[3] as string) });
  await add("checkpoint: covers less than the one before", { lines: back.lines, bad: 7 });
  const covering = new Story(w);
  await covering.checkpoint({ seq: 0, hash: "0".repeat(64) });
  await add("checkpoint: the first covers something", { lines: covering.lines, bad: 0 });
  const headless = new Story(w);
  headless.allow("a");
  await add("a chain that does not begin with a checkpoint", { lines: headless.lines, bad: 0 });

  const story = await Story.begin(w);
  story.allow("a");
  await story.checkpoint();
  const { lines } = story;
  const other = await Story.begin(w, { id: "another chain" });
  other.allow("b");
  await other.checkpoint();
  await add("checkpoint from elsewhere: another chain's", {
    lines,
    checkpoint: other.checkpoints.at(-1) as Signed,
    bad: 0,
  });
  const twin = await Story.begin(w);
  twin.allow("b");
  await twin.checkpoint();
  await add("chain-tamper: two chains of one id: the checkpoint from elsewhere is the other's", {
    lines,
    checkpoint: twin.checkpoints.at(-1) as Signed,
    bad: 5,
  });
  const forged = await Story.begin(w);
  await forged.checkpoint({}, stranger);
  await add("checkpoint from elsewhere: not signed by the agent", {
    lines,
    checkpoint: forged.checkpoints.at(-1) as Signed,
    bad: "error",
  });
  await add("checkpoint from elsewhere: not readable", {
    lines,
    checkpoint: { body: "{}", signature: "" },
    bad: "error",
  });
  const good = story.checkpoints.at(-1) as Signed;
  const wrappers: readonly [string, object][] = [
    ["a signature that is a list", { ...good, signature: [] }],
    ["a signature of 101 characters", { ...good, signature: "A".repeat(101) }],
    ["an unknown member", { ...good, seq: 1 }],
    ["no signature", { body: good.body }],
  ];
  for (const [name, wrapper] of wrappers) {
    const checkpoint = wrapper as Signed;
    await add(`checkpoint from elsewhere: ${name}`, { lines, roster: null, checkpoint, bad: "error" });
  }
}
