/** `guard agent`, `invite` and `enrol`: who is on the roster, and how they get there. */
import { hostname } from "node:os";
import { ConfigurationError, formatConnection, formatInvitation, parseInvitation } from "@guard/core";
import { enrol, visible } from "@guard/device";
import type { Command } from "commander";
import { pageUrl } from "../page.ts";
import { letsIn, linkTo, qrCode } from "../page-link.ts";
import { ask, confirm, print, readLine, remark } from "../terminal.ts";
import { durationOf, homeOf, ownerOf } from "./context.ts";

export function addPeople(program: Command): void {
  program
    .command("agent")
    .argument("<name>", "1 to 63 letters, digits, dots, dashes")
    .description("add an agent and print its connection")
    .addHelpText(
      "after",
      `
The connection is the agent's one secret. It is printed to stdout alone, and nowhere kept.

Example:
  guard agent billing > billing.connection`,
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      const owner = await ownerOf(homeOf(command));
      const connection = await owner.addAgent(name);
      remark(`Agent ${visible(name)} is on the roster. Set this as GUARD_CONNECTION where it runs:`);
      print(formatConnection(connection));
    });

  program
    .command("invite")
    .argument("<identity>", "e-mail, phone, wallet address or user id")
    .description("invite a person to enrol a device, and confirm it")
    .option("--expires-in <duration>", "how long the invitation is good (15m)", durationOf)
    .option("--page <url>", "print a link to the page that is hosted there, and its QR code")
    .option("--yes", "confirm without asking; needs --fingerprint")
    .option("--fingerprint <digits>", "the fingerprint that the device has to show; - reads it from stdin")
    .addHelpText(
      "after",
      `
Give the invitation to that person over a channel that you trust: whoever has it can enrol. Then compare the
fingerprint that their device shows with the one shown here.

Examples:
  guard invite alice@example.com
  guard invite alice@example.com --page https://approve.example.com
  guard invite alice@example.com --expires-in 1d`,
    )
    .action(invite);

  program
    .command("enrol")
    .argument("[invitation]", 'what "guard invite" printed; asked for when absent')
    .description("make this terminal a device on which an invited person decides")
    .option("--name <name>", "what people call this device", `terminal on ${hostname()}`.slice(0, 100))
    .addHelpText("after", "\nExample:\n  guard enrol guard-invite-…")
    .action(enrolHere);
}

interface InviteOptions {
  readonly expiresIn?: number;
  readonly page?: string;
  readonly yes?: boolean;
  readonly fingerprint?: string;
}

async function invite(identity: string, options: InviteOptions, command: Command): Promise<void> {
  if (options.yes && options.fingerprint === undefined) {
    throw new ConfigurationError(
      "--yes needs --fingerprint: without comparing it, nobody knows whose device it is.",
    );
  }
  const page = options.page === undefined ? null : pageUrl(options.page);
  const owner = await ownerOf(homeOf(command));
  const inviting = await owner.invite({ identity, expiresIn: options.expiresIn ?? 15 * 60_000 });
  const { invitation } = inviting;
  if (page) {
    const link = linkTo(page, invitation);
    remark(`Give this to ${visible(invitation.identity)}, to be opened where they want to decide:`);
    print(link);
    if (process.stderr.isTTY) remark(qrCode(link));
    const { relay } = parseInvitation(link);
    if ((await letsIn(relay, page.origin)) === false)
      remark(`This relay refuses that page: restart it with "guard serve --allow-origin ${page.origin} …".`);
  } else {
    remark(`Give this to ${visible(invitation.identity)}, to be used with "guard enrol" or on the page:`);
    print(formatInvitation(invitation));
  }
  remark("Waiting for the device …");
  const waiting = await inviting.waitForDevice();
  remark(`Device       ${visible(waiting.name)} (${visible(waiting.origin)})`);
  remark(`Fingerprint  ${waiting.fingerprint}`);
  if (options.fingerprint !== undefined) {
    const expected = options.fingerprint === "-" ? await readLine() : options.fingerprint;
    if (expected.replaceAll(/\D/g, "") !== waiting.fingerprint.replaceAll(" ", "")) {
      throw new ConfigurationError(
        "The fingerprint is another one. The device was not confirmed. Invite again.",
      );
    }
    if (options.yes) return finish();
  }
  const same = await confirm(
    "Does the person see the same fingerprint, and may they decide on this device?",
    "Without a terminal, pipe in what the person reads to you, with --fingerprint - --yes.",
  );
  if (!same) throw new ConfigurationError("The device was not confirmed.");
  return finish();

  async function finish(): Promise<void> {
    await waiting.confirm();
    print(`${visible(inviting.invitation.identity)} can decide on ${visible(waiting.name)}.`);
  }
}

async function enrolHere(
  given: string | undefined,
  options: { name: string },
  command: Command,
): Promise<void> {
  const invitation =
    given ?? (await ask("Invitation: ", "Without a terminal, give the invitation as an argument."));
  const { devices } = homeOf(command);
  const enrolling = await enrol({ invitation, name: options.name, origin: "terminal", store: devices });
  print(`Fingerprint  ${enrolling.fingerprint}`);
  remark("Read it to the person who invited you. Waiting for their confirmation …");
  const profile = await enrolling.waitUntilEnrolled().catch(async (error: unknown) => {
    await enrolling.giveUp();
    throw error;
  });
  print(`Enrolled as ${visible(profile.identity)}. "guard inbox" shows what waits for you.`);
}
