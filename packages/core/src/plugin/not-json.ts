/**
 * Finds, in a zod schema, what comes out of validation and is visibly not JSON (a date, a BigInt, a map). What
 * a transform makes cannot be seen; the guard refuses it when the tool is called.
 */

/** The part of zod 4's schemas that is looked at (`zod/v4/core`, "def"). */
interface Def {
  readonly type: string;
  readonly [member: string]: unknown;
}

const names: Readonly<Record<string, string>> = {
  date: "a Date",
  bigint: "a BigInt",
  map: "a Map",
  set: "a Set",
  symbol: "a symbol",
  nan: "NaN",
  function: "a function",
  file: "a File",
};

function defOf(schema: unknown): Def | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  const def = (schema as { _zod?: { def?: Def } })._zod?.def;
  return def && typeof def.type === "string" ? def : undefined;
}

/** Names the first such type, or null where none is seen. Other schema libraries are not looked into. */
export function notJson(schema: unknown, seen: Set<unknown> = new Set()): string | null {
  const def = defOf(schema);
  if (!def || seen.has(schema)) return null;
  seen.add(schema);
  if (Object.hasOwn(names, def.type)) return names[def.type] as string;
  for (const part of parts(def)) {
    const found = notJson(part, seen);
    if (found !== null) return found;
  }
  return null;
}

function parts(def: Def): readonly unknown[] {
  // Of a pipe only what comes out counts.
  if (def.type === "pipe") return [def.out];
  if (def.type === "lazy" && typeof def.getter === "function") return [def.getter()];
  const { shape, options, items } = def as { shape?: object; options?: unknown; items?: unknown };
  return [
    ...(shape ? Object.values(shape) : []),
    ...(Array.isArray(options) ? options : []),
    ...(Array.isArray(items) ? items : []),
    ...["element", "innerType", "left", "right", "valueType", "rest", "catchall"].map((name) => def[name]),
  ];
}
