/**
 * The one mutator: changes a valid input into one that is nearly valid. Half of the changes know JSON and what
 * it hides (texts in texts, base64url of JSON), the others know characters only.
 */
import type { Random } from "./random.ts";
import { nodes, type Tree, treeOf, write } from "./tree.ts";

/** How a text that is no JSON holds one: a word with a prefix, for instance. */
export interface Codec {
  decode(text: string): string | null;
  encode(inner: string): string;
}

const numbers = [
  "-0",
  "0",
  "-1",
  "1",
  "1.0",
  "1e2",
  "01",
  "0.1",
  "1e-7",
  "1e21",
  "1e400",
  "-1e400",
  "9007199254740991",
  "9007199254740993",
  "8640000000000001",
  "4294967296",
  "2147483648",
  "NaN",
  "Infinity",
  "0x10",
  "1_000",
];
const literals = ["null", "true", "false", "{}", "[]", '""', "undefined", "[[]]", '{"":0}', '[{"a":[]}]'];
const keys = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "length",
  "then",
  "",
  "0",
  "type",
  "kind",
  "\ud800",
  "\u0000",
  "é",
  "e\u0301",
  "\uffff",
  "seq",
  "body",
  "signature",
];
const texts = [
  "",
  " ",
  "\u0000",
  "\ufeff",
  "\r\n",
  "\ud800",
  "\udc00\ud800",
  "\u202e",
  "\u200b",
  "\u2028",
  "\u001b[2J",
  "\u009b",
  "é",
  "e\u0301",
  "J\u030c",
  "İ",
  "ß",
  "ﬁ",
  "💣",
  "%00",
  "../..",
  "//",
  "\\",
  '"',
  "=",
  "+",
  "A",
  "-",
  "_",
  "\ufffd",
  "root",
  "null",
  "__proto__",
  "constructor",
  "guard/v1/statement",
  "guard/v1/consume",
  "1e9",
  "(",
  "(a*)*",
  "[",
  "{1000}",
];

/** One to three changes of `input`. `others` are valid inputs, for pieces that are real and in the wrong place. */
export function mutate(random: Random, input: string, others: readonly string[], codec?: Codec): string {
  let changed = input;
  for (let changes = 1 + random.int(3); changes > 0; changes--) {
    const inner = codec && random.chance(0.7) ? codec.decode(changed) : null;
    if (codec && inner !== null) {
      const donors = others.flatMap((other) => codec.decode(other) ?? []);
      changed = codec.encode(once(random, inner, donors));
    } else changed = once(random, changed, others);
  }
  return changed;
}

function once(random: Random, text: string, others: readonly string[]): string {
  const tree = random.chance(0.6) ? treeOf(text) : null;
  if (tree === null) return characters(random, text, others);
  const node = random.pick(nodes(tree));
  if (random.chance(0.15)) graft(random, node, others);
  else structure(random, node);
  const canonical = random.chance(0.75);
  const written = write(tree, canonical);
  return canonical || random.chance(0.7) ? written : respelled(random, written);
}

/** Puts a real piece of another input in the place of `node`. */
function graft(random: Random, node: Tree, others: readonly string[]): void {
  const donor = others.length > 0 ? treeOf(random.pick(others)) : null;
  if (donor) become(node, random.pick(nodes(donor)));
}

function become(node: Tree, other: Tree): void {
  const copy = structuredClone(other);
  for (const key of Object.keys(node)) delete (node as Record<string, unknown>)[key];
  Object.assign(node, copy);
}

function structure(random: Random, node: Tree): void {
  if (random.chance(0.25)) {
    become(node, someValue(random));
    return;
  }
  switch (node.kind) {
    case "object":
      members(random, node.members);
      return;
    case "list":
      items(random, node.items);
      return;
    case "raw":
      node.text = random.chance(0.8) ? random.pick(numbers) : String(Number(node.text) + random.int(5) - 2);
      return;
    case "text":
      node.text = characters(random, node.text, []);
      return;
    case "nested":
      become(node, { kind: "text", text: characters(random, write(node.inner, true), []) });
  }
}

function someValue(random: Random): Tree {
  const way = random.int(10);
  if (way < 3) return { kind: "raw", text: random.pick(numbers) };
  if (way < 6) return { kind: "raw", text: random.pick(literals) };
  if (way < 9) return { kind: "text", text: random.pick(texts) };
  const deep = random.pick([40, 63, 64, 65, 200, 5000]);
  const [open, close] = random.pick([
    ["[", "]"],
    ['{"a":', "}"],
  ] as const);
  return { kind: "raw", text: `${open.repeat(deep)}0${close.repeat(deep)}` };
}

type Members = (Tree & { kind: "object" })["members"];

function members(random: Random, list: Members): void {
  const at = random.int(list.length);
  const member = list[at];
  const another = list[random.int(list.length)];
  switch (random.int(6)) {
    case 0:
      list.splice(at, 1);
      return;
    case 1:
      if (member)
        list.push({
          key: member.key,
          value: structuredClone((random.chance(0.5) ? member : (another ?? member)).value),
        });
      return;
    case 2:
      if (member) member.key = random.chance(0.5) ? random.pick(keys) : characters(random, member.key, []);
      return;
    case 3:
      list.push({ key: random.pick(keys), value: someValue(random) });
      return;
    case 4:
      if (member && another) [member.value, another.value] = [another.value, member.value];
      return;
    default:
      list.reverse();
  }
}

function items(random: Random, list: Tree[]): void {
  const at = random.int(list.length);
  const item = list[at];
  switch (random.int(5)) {
    case 0:
      list.splice(at, 1);
      return;
    case 1:
      if (item) list.splice(random.int(list.length), 0, structuredClone(item));
      return;
    case 2:
      list.push(someValue(random));
      return;
    case 3:
      list.reverse();
      return;
    default:
      if (item) for (let i = random.pick([3, 101, 201]); i > 0; i--) list.push(item);
  }
}

/** The same JSON in another spelling: white space, escapes, exponents. */
function respelled(random: Random, text: string): string {
  switch (random.int(4)) {
    case 0:
      return text.replaceAll(",", ", ");
    case 1:
      return text.replace(/[a-z]/, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
    case 2:
      return text.replaceAll("/", "\\/");
    default:
      return text.replace(/\d+/, (digits) => `${digits}.0`);
  }
}

/** Changes characters, whatever they mean. */
function characters(random: Random, text: string, others: readonly string[]): string {
  const at = random.int(text.length + 1);
  const end = Math.min(text.length, at + 1 + random.int(random.chance(0.8) ? 4 : text.length + 1));
  const before = text.slice(0, at);
  const after = text.slice(at);
  switch (random.int(12)) {
    case 0:
      return before + text.slice(end);
    case 1:
      return before + random.pick(texts) + after;
    case 2:
      return before + text.slice(at, end) + after;
    case 3:
      return before;
    case 4:
      return before + String.fromCharCode((after.charCodeAt(0) || 0) ^ (1 << random.int(7))) + after.slice(1);
    case 5: {
      const other = others.length > 0 ? random.pick(others) : text;
      return before + other.slice(random.int(other.length + 1));
    }
    case 6:
      return random.chance(0.5) ? random.pick(texts) + text : text + random.pick(texts);
    case 7:
      return random.chance(0.5)
        ? text.toUpperCase()
        : before + after.slice(0, 1).toLowerCase() + after.slice(1);
    case 8:
      // The last character of base64url holds bits that no byte has.
      return (
        text.slice(0, -1) +
        random.pick([..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/"])
      );
    case 9:
      return random.chance(0.9) ? text.normalize("NFD") : text.replaceAll("\n", "\r\n");
    case 10:
      return before + text.slice(at, end).repeat(random.pick([2, 10, 400])) + text.slice(end);
    default:
      return before + after.slice(1, 2) + after.slice(0, 1) + after.slice(2);
  }
}
