/**
 * JSON as a tree that can also be written wrongly: keys twice, in any order, numbers as no writer writes them.
 * Texts within texts (a signed body) are trees too, so that a change reaches what is inside of them.
 */

export type Tree =
  | { kind: "object"; members: { key: string; value: Tree }[] }
  | { kind: "list"; items: Tree[] }
  /** Written as it stands: numbers, literals, and what only looks like them. */
  | { kind: "raw"; text: string }
  | { kind: "text"; text: string }
  /** A string that holds JSON. */
  | { kind: "nested"; inner: Tree };

/** The tree of a JSON text, or null where it is none. */
export function treeOf(text: string): Tree | null {
  try {
    return grow(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}

/** Deeper than anything that is read: what is below is one piece. */
const deepest = 200;

function grow(value: unknown, depth = 0): Tree {
  if (depth > deepest) return { kind: "raw", text: JSON.stringify(value) };
  if (typeof value === "string") {
    const inner = /^[[{]/.test(value) ? treeOf(value) : null;
    return inner ? { kind: "nested", inner } : { kind: "text", text: value };
  }
  if (typeof value !== "object" || value === null) return { kind: "raw", text: JSON.stringify(value) };
  if (Array.isArray(value)) return { kind: "list", items: value.map((item) => grow(item, depth + 1)) };
  const members = Object.entries(value).map(([key, member]) => ({ key, value: grow(member, depth + 1) }));
  return { kind: "object", members };
}

export function write(tree: Tree, sorted: boolean): string {
  switch (tree.kind) {
    case "raw":
      return tree.text;
    case "text":
      return JSON.stringify(tree.text);
    case "nested":
      return JSON.stringify(write(tree.inner, sorted));
    case "list":
      return `[${tree.items.map((item) => write(item, sorted)).join(",")}]`;
    case "object": {
      const members = sorted ? tree.members.toSorted((a, b) => (a.key < b.key ? -1 : 1)) : tree.members;
      return `{${members.map(({ key, value }) => `${JSON.stringify(key)}:${write(value, sorted)}`).join(",")}}`;
    }
  }
}

/** Every node, the root first. */
export function nodes(tree: Tree): Tree[] {
  const found: Tree[] = [tree];
  for (const node of found) {
    if (node.kind === "object") for (const { value } of node.members) found.push(value);
    else if (node.kind === "list") for (const item of node.items) found.push(item);
    else if (node.kind === "nested") found.push(node.inner);
  }
  return found;
}
