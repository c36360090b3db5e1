/** `guard init`: founds an app at a relay. */
import { ConfigurationError, ed25519Signer, foundApp, randomBytes } from "@guard/core";
import { writePrivately } from "@guard/device/node";
import type { Command } from "commander";
import { lockSeed } from "../root-key.ts";
import { askSecret, newPassphrase, print } from "../terminal.ts";
import { homeOf } from "./context.ts";

export function addInit(program: Command): void {
  program
    .command("init")
    .description("set up an app: its root key, its roster, its place at a relay")
    .requiredOption("--relay <url>", "base URL of the relay (https, or http on loopback)")
    .addHelpText(
      "after",
      `
The operator's token comes from GUARD_OPERATOR_TOKEN or is asked for; so is the passphrase (GUARD_PASSPHRASE).

Example:
  guard init --relay https://guard.example.com`,
    )
    .action(async (options: { relay: string }, command: Command) => {
      const home = homeOf(command);
      if (await home.hasOwner()) {
        throw new ConfigurationError(
          `${home.directory} holds an app already. Name another directory with --home.`,
        );
      }
      const operatorToken =
        process.env.GUARD_OPERATOR_TOKEN ||
        (await askSecret(
          "The relay operator's token: ",
          "Without a terminal, set GUARD_OPERATOR_TOKEN to the token of the relay's operator.",
        ));
      const secret = await newPassphrase();
      const rootSeed = randomBytes(32);
      const signer = await ed25519Signer(rootSeed);
      // Refused here or not at all: an app whose root key could not be kept is of no use to anybody.
      const locked = await lockSeed(rootSeed, secret);
      const owner = await foundApp({ relay: options.relay, operatorToken, signer });
      await writePrivately(home.rootKeyFile, locked, home.directory);
      await home.roster.save(owner.roster().entries);
      await home.saveOwner({ version: 1, relay: owner.relay, app: owner.app, token: owner.token });
      print(`App        ${owner.app}`);
      print(
        `Root key   ${home.rootKeyFile} (keep a copy, and the passphrase, somewhere safe: nobody can restore them)`,
      );
      print();
      print("Next:");
      print("  guard invite alice@example.com    a person who may decide");
      print("  guard agent billing               an agent; prints its GUARD_CONNECTION");
    });
}
