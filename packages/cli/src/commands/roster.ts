/** `guard roster`, `revoke`, `suspend`, `lift`, `renew`: who may do what, and taking it back. */

import { writeFile } from "node:fs/promises";
import { ConfigurationError, canonicalJson, fingerprint, type Roster, type Target } from "@guard/core";
import { visible } from "@guard/device";
import type { Command } from "commander";
import { print, remark } from "../terminal.ts";
import { homeOf, ownerOf } from "./context.ts";
import { rosterHere } from "./roster-here.ts";

const kinds = ["admin", "identity", "agent", "relay", "device"] as const;

export function addRoster(program: Command): void {
  program
    .command("roster")
    .description("print who may do what")
    .option("--out <file>", 'write its signed entries, for "guard verify" elsewhere')
    .action(async (options: { out?: string }, command: Command) => {
      const roster = await rosterHere(homeOf(command));
      if (options.out !== undefined) {
        await writeFile(options.out, `${canonicalJson(roster.entries)}\n`);
        remark(`${roster.entries.length} entries written to ${options.out}`);
      }
      for (const line of rosterLines(roster)) print(line);
    });

  program
    .command("revoke")
    .argument("<kind>", kinds.join(", "))
    .argument("<id>", "its name; a device by the first 6 characters of its id or more")
    .description("take something off the roster, for good")
    .option("--reason <text>", "why, for the record")
    .addHelpText(
      "after",
      "\nExamples:\n  guard revoke device 3fK9aQ\n  guard revoke identity bob@example.com --reason left",
    )
    .action(async (kind: string, id: string, options: { reason?: string }, command: Command) => {
      const owner = await ownerOf(homeOf(command));
      const target = targetOf(owner.roster(), kind, id);
      await owner.revoke(target, options.reason ?? null);
      print(`${target.kind} ${visible(target.id)} is revoked.`);
    });

  program
    .command("suspend")
    .argument("<agent>")
    .description("stop an agent at once; what is approved already does not run either")
    .option("--reason <text>", "why, for the record")
    .action(async (agent: string, options: { reason?: string }, command: Command) => {
      await (await ownerOf(homeOf(command))).suspend(agent, options.reason ?? null);
      print(`Agent ${visible(agent)} is suspended. "guard lift ${visible(agent)}" ends it.`);
    });

  program
    .command("lift")
    .argument("<agent>")
    .description("end an agent's suspension")
    .action(async (agent: string, _options: unknown, command: Command) => {
      await (await ownerOf(homeOf(command))).lift(agent);
      print(`Agent ${visible(agent)} is not suspended any more.`);
    });

  program
    .command("renew")
    .description("confirm that the roster is still good; agents refuse one that nobody signed for 30 days")
    .action(async (_options: unknown, command: Command) => {
      const owner = await ownerOf(homeOf(command));
      await owner.renew();
      print(`Renewed. The roster's head is entry ${owner.roster().head.seq}.`);
    });
}

function targetOf(roster: Roster, kind: string, id: string): Target {
  const known = kinds.find((name) => name === kind);
  if (!known)
    throw new ConfigurationError(`"${kind.slice(0, 40)}" cannot be revoked. Kinds: ${kinds.join(", ")}.`);
  if (known !== "device" || roster.device(id)) return { kind: known, id };
  const [match, ...others] = roster.devices().filter(({ device }) => id.length >= 6 && device.startsWith(id));
  if (match && others.length === 0) return { kind: known, id: match.device };
  throw new ConfigurationError(
    `${others.length > 0 ? "Several devices" : "No device"} of that id. "guard roster" lists them.`,
  );
}

/** The roster in words. */
function rosterLines(roster: Roster): readonly string[] {
  const day = (time: number) => new Date(time).toISOString().slice(0, 10);
  const lines = [
    `app       ${roster.app}`,
    `head      entry ${roster.head.seq}, ${roster.head.hash}, signed ${day(roster.time)}`,
  ];
  for (const agent of roster.agents()) {
    const state = agent.revoked ? "  REVOKED" : agent.suspended ? "  SUSPENDED" : "";
    lines.push(`agent     ${visible(agent.agent)}  since ${day(agent.enrolledAt)}${state}`);
  }
  for (const person of roster.identities()) {
    lines.push(
      `identity  ${visible(person.identity)}  since ${day(person.enrolledAt)}${person.revoked ? "  REVOKED" : ""}`,
    );
    for (const device of roster.devices().filter(({ identity }) => identity === person.identity)) {
      const by = `since ${day(device.enrolledAt)} by ${visible(device.enrolledBy)}`;
      lines.push(
        `  device  ${device.device.slice(0, 8)}  ${visible(device.name)} (${visible(device.origin)}, ${device.key.kind})  ${by}  ${fingerprint(device.device)}${device.revoked ? "  REVOKED" : ""}`,
      );
    }
    for (const { device, wire, name, enrolledAt, enrolledBy } of roster.foreignOf(person.identity)) {
      const by = `since ${day(enrolledAt)} by ${visible(enrolledBy)}`;
      lines.push(`  ${wire}    ${device.slice(0, 8)}  ${visible(name)}  ${by}  ${fingerprint(device)}`);
    }
  }
  return lines;
}
