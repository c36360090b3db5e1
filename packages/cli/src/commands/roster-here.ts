/** The newest roster that can be had here: the owner's (no root key is needed to read it), else a device's. */
import { ConfigurationError, createRelayClient, followRoster, type Roster } from "@guard/core";
import { openDevices } from "../devices.ts";
import type { Home } from "../home.ts";

export async function rosterHere(home: Home): Promise<Roster> {
  if (await home.hasOwner()) {
    const { relay: url, app, token } = await home.owner();
    const client = createRelayClient({ url, token });
    const follower = followRoster({ client, app, floor: null, store: home.roster });
    await follower.ready();
    return follower.sync();
  }
  const [device] = await openDevices(home.devices);
  if (!device) throw new ConfigurationError("There is neither an app nor a device here.");
  return device.roster();
}
