/** The least that a server can do: Hono on a free port, one route that reads its JSON body and answers 201. */
import { serve } from "@hono/node-server";
import { Hono } from "hono";

const app = new Hono();
app.post("/", async (c) => {
  await c.req.json();
  return c.json({}, 201);
});
const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
  process.send?.(`http://127.0.0.1:${port}/`);
});
process.on("disconnect", () => server.close(() => process.exit(0)));
