/** The devices that this terminal holds, and the one request that a person names. */
import { ConfigurationError, isGuardError, normaliseIdentity, type RequestView } from "@guard/core";
import { type Device, type DeviceStore, type Item, openDevice } from "@guard/device";

/** Opens this terminal's devices, those of `identities` where any are named. @throws ConfigurationError where there is none. */
export async function openDevices(
  store: DeviceStore,
  identities: readonly string[] = [],
): Promise<readonly Device[]> {
  const wanted = new Set(identities.map(normaliseIdentity));
  const profiles = (await store.list()).filter(({ identity }) => wanted.size === 0 || wanted.has(identity));
  if (profiles.length === 0) {
    throw new ConfigurationError(
      'No device is enrolled here. Ask the owner for "guard invite", then run "guard enrol" and paste it.',
    );
  }
  return Promise.all(profiles.map((profile) => openDevice({ profile, store })));
}

/** The one item whose request id starts with `id`. @throws ConfigurationError where there is none or more than one. */
export async function findItem(devices: readonly Device[], id: string): Promise<Item> {
  if (!/^[A-Za-z0-9_-]{4,43}$/.test(id)) {
    throw new ConfigurationError("A request is named by its id, or by the first 4 characters of it or more.");
  }
  const found: Item[] = [];
  for (const device of devices) {
    const views = id.length === 43 ? await getOrNone(device, id) : await device.list();
    for (const view of views.filter(({ request }) => request.startsWith(id))) {
      found.push({ device, identity: device.profile.identity, opened: await device.open(view) });
    }
  }
  const open = found.filter(({ opened }) => opened.closed === null);
  const candidates = open.length > 0 ? open : found;
  const [item, ...others] = candidates;
  if (!item)
    throw new ConfigurationError(`No open request here starts with ${id}. "guard inbox --list" shows them.`);
  if (others.length > 0) {
    const same = others.every(({ opened }) => opened.request === item.opened.request);
    const people = candidates.map(({ identity }) => identity).join(", ");
    throw new ConfigurationError(
      same
        ? `Several people at this terminal can answer it (${people}). Say who answers with --as IDENTITY.`
        : `Several requests start with ${id}. Give more of the id.`,
    );
  }
  return item;
}

async function getOrNone(device: Device, id: string): Promise<readonly RequestView[]> {
  try {
    return [await device.get(id)];
  } catch (error) {
    if (isGuardError(error) && error.relayCode === "not_found") return [];
    throw error;
  }
}
