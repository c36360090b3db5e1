/**
 * Identities: any name by which an application knows a person. One person has one spelling, so that a quorum
 * counts people: NFC, trimmed, e-mail and wallet addresses in lower case, phone numbers as digits.
 * Look-alikes are refused: mixed scripts here, and a skeleton that an earlier identity has by the roster.
 */
import { ValidationError } from "../errors.ts";

const maxLength = 320;

/**
 * The one spelling of an identity.
 * @throws ValidationError where it is empty, too long, mixes scripts, or holds white space or invisible characters.
 */
export function normaliseIdentity(identity: string): string {
  if (typeof identity !== "string" || !identity.isWellFormed()) {
    throw new ValidationError("An identity has to be text.");
  }
  let name = identity.normalize("NFC").trim();
  if (/^\+[\d\s().-]+$/.test(name)) name = `+${name.replace(/\D/g, "")}`;
  if (name.includes("@") || /^0x[0-9a-f]{40}$/i.test(name)) {
    // A small letter may compose with a mark that its capital does not compose with (J̌ and ǰ).
    name = name.toLowerCase().normalize("NFC");
  }
  const refuse = (why: string): never => {
    throw new ValidationError(`The identity ${JSON.stringify(name.slice(0, 80))} ${why}.`);
  };
  if (name.length === 0 || name.length > maxLength) refuse(`has to have 1 to ${maxLength} characters`);
  if (/[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u.test(name))
    refuse("holds white space or an invisible character");
  if (scriptsOf(name) > 1) refuse("mixes scripts, which makes it look like another one");
  return name;
}

const scripts = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Armenian}|\p{Script=Georgian}|\p{Script=Cherokee}/u,
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u,
  /\p{Script=Arabic}|\p{Script=Hebrew}/u,
];

// A domain is Latin in practice, so an address is judged part by part.
function scriptsOf(name: string): number {
  const parts = name.includes("@") ? name.split("@") : [name];
  return Math.max(...parts.map((part) => scripts.filter((script) => script.test(part)).length));
}

// Letters of other scripts that are drawn like Latin ones (a subset of Unicode UTS #39's confusables).
const drawnLike: ReadonlyMap<string, string> = new Map(
  Object.entries({
    a: "аαａ",
    b: "Ььβ",
    c: "сϲｃ",
    d: "ԁｄ",
    e: "еｅ",
    g: "ɡ",
    h: "һհｈ",
    i: "іιıｉ",
    j: "јｊ",
    k: "кκ",
    l: "ӏⅼｌ",
    m: "м",
    n: "пոｎ",
    o: "оοօｏ",
    p: "рρｐ",
    q: "ԛ",
    r: "г",
    s: "ѕｓ",
    t: "тτ",
    u: "υսｕ",
    v: "ѵνｖ",
    w: "ԝωｗ",
    x: "хχｘ",
    y: "уγｙ",
    z: "ｚ",
  }).flatMap(([latin, others]) => Array.from(others, (other) => [other, latin] as const)),
);

/** What an identity looks like: two identities with one skeleton cannot be told apart by eye. */
export function skeleton(identity: string): string {
  const plain = identity.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "");
  return Array.from(plain, (character) => drawnLike.get(character) ?? character).join("");
}
