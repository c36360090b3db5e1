/** `guard noxy …`: lets Noxy's clients in at the relay, and says whose devices they are. */
import {
  base64url,
  ConfigurationError,
  type ForeignApp,
  type ForeignDeviceView,
  fingerprint,
  type Owner,
  randomBytes,
} from "@guard/core";
import { visible } from "@guard/device";
import type { Command } from "commander";
import { confirm, print, remark } from "../terminal.ts";
import { homeOf, ownerOf } from "./context.ts";

export function addNoxy(program: Command): void {
  const noxy = program.command("noxy").description("let Noxy's clients in at the relay");

  noxy
    .command("enable")
    .description("switch it on for this app, or change how it is; what is not named stays as it is")
    .option("--name <name>", "what its clients call the app")
    .option(
      "--secret",
      "make a signing secret, in place of the one before: who knows it registers active devices",
    )
    .option("--no-secret", "have no secret: you confirm each device")
    .option("--open", "let anybody who knows the app's id register as anybody; for trying things out")
    .option("--no-open", "end that")
    .option("--quota <decisions>", "decisions a month (UTC), or none", quotaOf)
    .option("--agent <name>", "print a new app token for this agent, in place of the one before")
    .addHelpText(
      "after",
      `
Without --secret and --open a device gets nothing before "guard noxy confirm". A secret and a token are printed to
stdout once, and nowhere kept here. A new token ends the one before, also inside the agent's connection; an agent that
is not on the roster is added.

Examples:
  guard noxy enable --agent support
  guard noxy enable --secret --quota 10000`,
    )
    .action(enable);

  noxy
    .command("suspend")
    .description('stop all of Noxy\'s clients at once; "guard noxy enable" ends it')
    .action(async (_options: unknown, command: Command) => {
      const owner = await ownerOf(homeOf(command));
      const former = await owner.foreignSettings();
      if (!former) throw new ConfigurationError("Noxy's wire is not switched on for this app.");
      await owner.setForeign({ ...settingsOf(former), suspended: true });
      print('Suspended. "guard noxy enable" ends it.');
    });

  noxy
    .command("devices")
    .description("print what registered, newest first")
    .action(async (_options: unknown, command: Command) => {
      const devices = await (await ownerOf(homeOf(command))).foreignDevices();
      if (devices.length === 0) print("No device has registered.");
      for (const device of devices) print(deviceLine(device));
    });

  noxy
    .command("confirm")
    .argument("<device>", "its id, or the first 6 characters of it or more")
    .description("let a device that waits be asked")
    .option("--name <name>", "what the roster calls it; by default what it says it is")
    .option("--yes", "confirm without asking; needs the whole id")
    .addHelpText(
      "after",
      `
The id is made of the device's keys. Give it as the person reads it to you from their client, over a channel that you
trust: whoever knows the app's id can register under anybody's name.

Example:
  guard noxy confirm 3fK9aQ --name "Alice's phone"`,
    )
    .action(confirmDevice);

  noxy
    .command("revoke")
    .argument("<device>", "its id, or the first 6 characters of it or more")
    .description("stop a device, for good")
    .option("--reason <text>", "why, for the record")
    .action(revokeDevice);
}

interface EnableOptions {
  readonly name?: string;
  readonly secret?: boolean;
  readonly open?: boolean;
  readonly quota?: number | "none";
  readonly agent?: string;
}

type Settings = Parameters<Owner["setForeign"]>[0];

const unset: Settings = {
  wire: "noxy",
  name: "Guard",
  signingSecret: null,
  open: false,
  quota: null,
  suspended: false,
};

const settingsOf = ({ wire, name, signingSecret, open, quota, suspended }: ForeignApp): Settings => ({
  wire,
  name,
  signingSecret,
  open,
  quota,
  suspended,
});

async function enable(options: EnableOptions, command: Command): Promise<void> {
  const owner = await ownerOf(homeOf(command));
  const former = await owner.foreignSettings();
  const before = former ? settingsOf(former) : unset;
  const made = options.secret ? base64url(randomBytes(32)) : null;
  const settings: Settings = {
    ...before,
    name: options.name ?? before.name,
    signingSecret: options.secret === undefined ? before.signingSecret : made,
    open: options.open ?? before.open,
    quota: options.quota === "none" ? null : (options.quota ?? before.quota),
    suspended: false,
  };
  await owner.setForeign(settings);
  const { host } = new URL(owner.relay);
  print(`App id     ${owner.app}`);
  print(`Endpoint   ${host}`);
  print(`Name       ${visible(settings.name)}`);
  print(`Devices    ${whoIsActive(settings)}`);
  print(`Quota      ${settings.quota === null ? "none" : `${settings.quota} decisions a month`}`);
  if (made !== null) print(`Secret     ${made}`);
  if (options.agent !== undefined) {
    const token = owner.roster().agent(options.agent)
      ? await owner.grantToken(options.agent)
      : (await owner.addAgent(options.agent)).token;
    print(`App token  ${token}`);
    remark(`The token is of agent ${visible(options.agent)}. The one before, if there was one, is dead.`);
  }
  if (settings.open)
    remark("Anybody who knows the app's id can answer as anybody now. End it with --no-open.");
}

function whoIsActive({ open, signingSecret }: Settings): string {
  if (open) return "all that register are active: open";
  return signingSecret === null
    ? 'active once you confirm them: "guard noxy devices"'
    : "active once they show the secret, or you confirm them";
}

async function confirmDevice(
  id: string,
  options: { name?: string; yes?: boolean },
  command: Command,
): Promise<void> {
  const owner = await ownerOf(homeOf(command));
  const device = oneOf(await owner.foreignDevices(), id);
  if (owner.roster().foreign(device.device)) {
    throw new ConfigurationError(`It is ${device.state === "revoked" ? "revoked" : "confirmed"} already.`);
  }
  if (options.yes && id !== device.device) {
    throw new ConfigurationError(
      "--yes needs the whole id: without comparing it, nobody knows whose device it is.",
    );
  }
  remark(deviceLine(device));
  const sure =
    options.yes ||
    (await confirm(
      `Does ${visible(device.identity)} see this id in their client, and may they be asked on this device?`,
      "Without a terminal, give the whole id as the person reads it to you, with --yes.",
    ));
  if (!sure) throw new ConfigurationError("The device was not confirmed.");
  await owner.confirmForeign(device, options.name ?? device.type);
  print(`${visible(device.identity)} can be asked on ${device.device}.`);
}

async function revokeDevice(id: string, options: { reason?: string }, command: Command): Promise<void> {
  const owner = await ownerOf(homeOf(command));
  const roster = owner.roster();
  const confirmed = roster.identities().flatMap(({ identity }) => roster.foreignOf(identity));
  // A relay that hides a device must not keep it from being revoked.
  const device = oneOf([...confirmed, ...(await owner.foreignDevices())], id);
  const record = roster.foreign(device.device);
  if (!record && "state" in device) {
    if (device.state === "waiting")
      throw new ConfigurationError("This device waits, and gets nothing for as long as nobody confirms it.");
    if (device.state === "revoked") throw new ConfigurationError("This device has ended itself already.");
    // Only what is on the roster can be taken off it, and it is active as it is.
    await owner.confirmForeign(device, device.type);
  }
  await owner.revoke({ kind: "foreign", id: device.device }, options.reason ?? null);
  print(`Device ${device.device} of ${visible(device.identity)} is revoked.`);
}

function oneOf<D extends { readonly device: string }>(devices: readonly D[], id: string): D {
  const matches = devices.filter(({ device }) => device === id || (id.length >= 6 && device.startsWith(id)));
  const [match, ...others] = matches.filter(
    (one, i) => matches.findIndex((d) => d.device === one.device) === i,
  );
  if (match && others.length === 0) return match;
  throw new ConfigurationError(
    `${match ? "Several devices" : "No device"} of that id. "guard noxy devices" lists them.`,
  );
}

function deviceLine({ device, identity, type, state, registeredAt }: ForeignDeviceView): string {
  const at = new Date(registeredAt).toISOString().slice(0, 16).replace("T", " ");
  return `${state.padEnd(7)}  ${device}  ${fingerprint(device)}  ${visible(identity)}  ${visible(type)}  ${at} UTC`;
}

/** @throws ConfigurationError */
function quotaOf(text: string): number | "none" {
  if (text === "none") return text;
  const quota = Number(text);
  if (/^\d{1,15}$/.test(text)) return quota;
  throw new ConfigurationError(`"${text.slice(0, 40)}" is no quota. Give a whole number, or none.`);
}
