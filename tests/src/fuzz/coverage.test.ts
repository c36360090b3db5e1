/** Keeps the fuzzing whole: a new exported function that reads foreign bytes needs a target that covers it. */
import * as core from "@guard/core";
import * as device from "@guard/device";
import * as node from "@guard/device/node";
import * as relay from "@guard/relay";
import { expect, test } from "vitest";
import { createTargets } from "./targets.ts";

/** By their names, exported functions that read what somebody else wrote. */
const reads =
  /^(read|parse|open|reopen|verify|check|from[A-Z]|follow|why|visible|homographs|create(Policy|RelayClient|Relay)$)/;
/** They have such a name, and are covered by another. */
const covered: Readonly<Record<string, string>> = {
  openOwner: "reads the relay's answers by createRelayClient and followRoster",
};

test("every exported function that reads foreign bytes has a target", async () => {
  const { targets, close } = await createTargets();
  await close();
  const covers = new Set(targets.flatMap((target) => target.covers));
  const exported = Object.entries({ ...core, ...device, ...node, ...relay })
    .filter(([, value]) => typeof value === "function")
    .map(([name]) => name);
  const missing = exported.filter(
    (name) => reads.test(name) && !covers.has(name) && !Object.hasOwn(covered, name),
  );
  expect(missing).toEqual([]);
  const gone = [...covers].filter((name) => !exported.includes(name));
  expect(gone).toEqual([]);
});
