/**
 * A route of the Guard wire: everything about one call in one value, from which the server mounts it and
 * OpenAPI describes it, so that the two cannot drift apart.
 */
import type * as z from "zod";
import type { Context, Principal } from "../../domain/context.ts";
import type { TokenKind } from "../../store/schema.ts";

/** What a handler gets: validated, and of a token kind that the route names. */
export interface Call<Kind extends TokenKind, Query, Body> {
  readonly context: Context;
  readonly principal: Principal & { readonly kind: Kind };
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: 200 | 201;
  /** JSON, or a `Response` where it is a stream. */
  readonly body: unknown;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** `/v1/requests/:request` */
  readonly path: string;
  readonly summary: string;
  /** Whose tokens may call. `anyone` needs none; `operator` is the relay's own token. */
  readonly auth: readonly TokenKind[] | "anyone" | "operator";
  readonly query: z.ZodType;
  /** Null where the call has no body. */
  readonly body: z.core.$ZodType | null;
  readonly statuses: readonly (200 | 201)[];
  /** Null where the reply is a stream of server-sent events. */
  readonly reply: z.core.$ZodType | null;
  handle(call: Call<TokenKind, unknown, unknown>): Promise<Reply>;
}

interface Definition<Kind extends TokenKind, Query extends z.ZodType, Body extends z.core.$ZodType | null>
  extends Omit<Route, "auth" | "query" | "body" | "handle"> {
  readonly auth: readonly Kind[] | "anyone" | "operator";
  readonly query: Query;
  readonly body: Body;
  handle(
    call: Call<Kind, z.output<Query>, Body extends z.core.$ZodType ? z.output<Body> : undefined>,
  ): Promise<Reply>;
}

/** Types a handler by its route's schemas; the server validates by the same ones before it calls. */
export function route<
  const Kind extends TokenKind,
  Query extends z.ZodType,
  Body extends z.core.$ZodType | null,
>(definition: Definition<Kind, Query, Body>): Route {
  return definition as unknown as Route;
}
