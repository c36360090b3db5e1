/** `guard inbox`: what waits for an answer on this terminal's devices, live or command by command. */
import { ConfigurationError, isGuardError, type Json } from "@guard/core";
import { byUrgency, createInbox, type Decision, type Item, needsCare, visible } from "@guard/device";
import type { Command } from "commander";
import { findItem, openDevices } from "../devices.ts";
import { ask, confirm, interactive, print } from "../terminal.ts";
import { detailLines, diffLines, summaryLine } from "../words.ts";
import { collect, homeOf } from "./context.ts";

interface Common {
  readonly as?: readonly string[];
}
interface Deciding extends Common {
  readonly reason?: string;
  readonly args?: string;
  readonly yes?: boolean;
}

export function addInbox(program: Command): void {
  const as = ["--as <identity>", "only this person's devices (may be given several times)", collect] as const;
  const inbox = program
    .command("inbox")
    .description("show what waits for an answer, and decide")
    .option(...as)
    .option("--list", "print what waits now, and end")
    .addHelpText(
      "after",
      `
Examples:
  guard inbox                                  live; decide with the keyboard
  guard inbox show 3fK9                        one request in full
  guard inbox approve 3fK9
  guard inbox approve 3fK9 --args '{"amount":90}' --yes
  guard inbox reject 3fK9 --reason "Wrong customer"`,
    )
    .action(async (options: Common & { list?: boolean }, command: Command) => {
      const devices = await openDevices(homeOf(command).devices, options.as);
      if (options.list || !interactive()) {
        const items: Item[] = [];
        for (const device of devices) {
          for (const view of await device.list()) {
            items.push({ device, identity: device.profile.identity, opened: await device.open(view) });
          }
        }
        const open = items.filter(({ opened }) => opened.closed === null);
        open.sort((a, b) => byUrgency(a.opened, b.opened));
        if (open.length === 0) print("Nothing waits for an answer.");
        for (const { opened, identity } of open) print(summaryLine(opened, identity, Date.now()));
        return;
      }
      const { startScreen } = await import("../screen/live.ts");
      const live = createInbox({
        onChange: () => screen.controller.changed(),
        onRemark: (text) => screen.line({ text, tone: "warning" }),
      });
      const screen = startScreen({ inbox: live });
      for (const device of devices) live.add(device);
      await screen.quit;
      live.close();
      screen.close();
    });

  // An id may begin with a dash. What no option is called is taken for one; an option's misspelt name is no id.
  const named = (name: string) =>
    inbox
      .command(name)
      .argument("<id>", "the request's id, or how it begins")
      .allowUnknownOption()
      .option(...as);

  named("show")
    .description("print one request in full")
    .action(async (id: string, _options: unknown, command: Command) => {
      printItem(await itemOf(id, command));
    });

  named("approve")
    .description("approve one request, as asked or with other arguments")
    .option("--args <json>", "approve with these arguments instead")
    .option("--reason <text>", "a remark for the agent")
    .option("--yes", "do not ask again")
    .action(async (id: string, options: Deciding, command: Command) => {
      const item = await itemOf(id, command);
      const args = options.args === undefined ? undefined : parseArgs(options.args);
      if (!options.yes) await confirmApproval(item, args);
      await decide(item, {
        decision: "approve",
        ...(options.reason === undefined ? {} : { reason: options.reason }),
        ...(args === undefined ? {} : { args }),
      });
    });

  named("reject")
    .description("reject one request")
    .option("--reason <text>", "why; goes to the agent")
    .action(async (id: string, options: Deciding, command: Command) => {
      const item = await itemOf(id, command);
      await decide(item, {
        decision: "reject",
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      });
    });
}

async function itemOf(id: string, command: Command): Promise<Item> {
  const { as } = command.optsWithGlobals<Common>();
  return findItem(await openDevices(homeOf(command).devices, as), id);
}

function printItem({ opened, identity }: Item): void {
  for (const { text } of detailLines(opened, identity, Date.now())) print(text);
}

async function confirmApproval(item: Item, args: Json | undefined): Promise<void> {
  const { opened, identity } = item;
  printItem(item);
  if (args !== undefined) for (const { text } of diffLines(opened.args, args)) print(text);
  const otherwise = "Without a terminal, say --yes after you have read the request.";
  if (needsCare(opened)) {
    const typed = await ask(`Type approve to approve as ${visible(identity)}: `, otherwise);
    if (typed.trim() === "approve") return;
  } else if (await confirm(`Approve as ${visible(identity)}?`, otherwise)) return;
  throw new ConfigurationError("Nothing was decided.");
}

async function decide({ device, opened, identity }: Item, decision: Decision): Promise<void> {
  if (opened.closed !== null) throw new ConfigurationError(`Too late. ${opened.closed}`);
  const view = await device.decide(opened, decision);
  const word = decision.decision === "approve" ? "approved" : "rejected";
  const now = await device.open(view);
  const rest =
    now.state === "pending" ? `; ${now.missing} more have to approve` : `; the request is ${now.state}`;
  print(`${visible(identity)} ${word} ${visible(opened.tool)} ${opened.request.slice(0, 8)}${rest}.`);
}

function parseArgs(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    if (isGuardError(cause)) throw cause;
    throw new ConfigurationError(
      "--args is not JSON. Quote it for your shell, for instance --args '{\"amount\":90}'.",
    );
  }
}
