/** `/openapi.json`, made from the same table that the server mounts. */
import { apiErrorSchema } from "@guard/core";
import * as z from "zod";
import type { Route } from "./route.ts";

function schema(of: z.core.$ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(of, { target: "draft-2020-12", io, unrepresentable: "any" });
  return rest;
}

const json = (of: object) => ({ content: { "application/json": { schema: of } } });
const openapiPath = (path: string) => path.replaceAll(/:(\w+)/g, "{$1}");

function operation(route: Route): object {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const query = schema(route.query, "input") as { properties?: Record<string, object>; required?: string[] };
  const inQuery = Object.entries(query.properties ?? {}).map(([name, of]) => ({
    name,
    in: "query",
    required: query.required?.includes(name) ?? false,
    schema: of,
  }));
  const reply =
    route.reply === null
      ? { content: { "text/event-stream": { schema: { type: "string" } } } }
      : json(schema(route.reply, "output"));
  return {
    summary: route.summary,
    description:
      typeof route.auth === "string"
        ? `Who: ${route.auth}.`
        : `Who: the token of an ${route.auth.join(", or of an ")}.`.replaceAll("an device", "a device"),
    security: route.auth === "anyone" ? [] : [{ token: [] }],
    parameters: [...inPath, ...inQuery],
    ...(route.body === null ? {} : { requestBody: { required: true, ...json(schema(route.body, "input")) } }),
    responses: {
      ...Object.fromEntries(route.statuses.map((status) => [status, { description: "Done", ...reply }])),
      default: { description: "Refused", ...json(schema(apiErrorSchema, "output")) },
    },
  };
}

export function openapi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = openapiPath(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Guard relay", version: "1" },
    paths,
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  };
}
