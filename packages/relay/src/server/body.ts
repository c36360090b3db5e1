/** Reading a request's body and query: JSON only, bounded, and of the route's shape or refused. */
import type * as z from "zod";
import * as core from "zod/v4/core";
import { Refusal, refuse } from "../domain/refusal.ts";

/** The body's value, and its size in bytes. @throws Refusal `invalid`, `too_large` */
export async function readJson(
  request: Request,
  schema: z.core.$ZodType,
  limit: number,
): Promise<{ value: unknown; size: number }> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") refuse("invalid", "Send the body as content-type application/json.");
  const { text, size } = await readText(request, limit);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Refusal("invalid", "The body is not JSON.", { cause });
  }
  return { value: validated(schema, value, "The body"), size };
}

async function readText(request: Request, limit: number): Promise<{ text: string; size: number }> {
  const bytes = await readBytes(request, limit);
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), size: bytes.length };
  } catch (cause) {
    throw new Refusal("invalid", "The body is not UTF-8.", { cause });
  }
}

/** Nothing beyond the limit is ever held, whether or not the body says beforehand how long it is. */
async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = () => refuse("too_large", `The body is larger than ${limit} bytes.`);
  const length = request.headers.get("content-length");
  if (Number(length ?? 0) > limit) return tooLarge();
  if (length !== null) {
    // HTTP's parser holds the body to its length, and reading it whole needs no stream.
    const bytes = new Uint8Array(await request.arrayBuffer());
    return bytes.length > limit ? tooLarge() : bytes;
  }
  const reader = request.body?.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > limit) {
      await reader.cancel();
      return tooLarge();
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks);
}

const lists = new Set(["wanted"]);

/** @throws Refusal `invalid` for unknown and repeated parameters */
export function readQuery(params: URLSearchParams, schema: z.core.$ZodType): unknown {
  const value: Record<string, string | string[]> = {};
  for (const name of new Set(params.keys())) {
    const all = params.getAll(name);
    if (lists.has(name)) value[name] = all;
    else if (all.length === 1) value[name] = all[0] as string;
    else refuse("invalid", `The query names ${JSON.stringify(name.slice(0, 40))} twice.`);
  }
  return validated(schema, value, "The query");
}

function validated(schema: z.core.$ZodType, value: unknown, what: string): unknown {
  const parsed = core.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue?.path.length ? ` at ${issue.path.join(".")}` : "";
  // The issue's own text may quote what was sent; its code does not.
  return refuse(
    "invalid",
    `${what} has the wrong shape${place} (${issue?.code ?? "unknown"}). See /openapi.json.`,
  );
}
