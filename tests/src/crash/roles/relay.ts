/**
 * A relay over a database: serves until the story is over, or dies at its point. It ends with 75 where its database
 * or port cannot be used.
 */
import { once } from "node:events";
import { isGuardError } from "@guard/core";
import { createRelay, type Relay, serveRelay } from "@guard/relay";
import { clockIn, kindOf, type Points, pointsOf } from "../points.ts";
import { cannotGoOn, type Life, type Orders } from "./orders.ts";

export async function relay({ database, port, clock, death }: Orders, life: Life): Promise<number> {
  const points = pointsOf(death);
  const time = clockIn(clock);
  try {
    const real = await createRelay({
      database,
      logger: false,
      // A story is all of a relay's traffic in a second or two.
      limits: { tokenRate: { perSecond: 1000, burst: 4000 } },
      now: () => {
        points.reach("clock");
        return time();
      },
    });
    const served = await serveRelay(withPoints(real, points), { port });
    life.begun();
    if (!life.over.aborted) await once(life.over, "abort");
    await served.close();
    await real.close();
    return 0;
  } catch (error) {
    if (!isGuardError(error, "configuration")) throw error;
    process.stderr.write(`${error.message}\n`);
    return cannotGoOn;
  }
}

/** The relay, with points where a call arrives, where it is done, and where its caller has the answer. */
function withPoints(real: Relay, points: Points): Relay {
  return {
    ...real,
    async fetch(request, peer) {
      const kind = kindOf(request.method, new URL(request.url).pathname);
      points.reach(`${kind} arrived`);
      const response = await real.fetch(request, peer);
      if (response.ok) {
        points.reach(`${kind} done`);
        setTimeout(() => points.reach(`${kind} sent`), 4);
      }
      return response;
    },
  };
}
