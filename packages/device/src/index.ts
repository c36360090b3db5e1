/**
 * `@guard/device`: what an approver's device does, in a browser or in Node: enrol, open what it is asked, show
 * it as it is, and sign what its person decided. Files are in `@guard/device/node`.
 */
export { type Decision, type Device, longestReason, type OpenDeviceOptions, openDevice } from "./device.ts";
export { type Enrolling, type EnrolOptions, enrol } from "./enrol.ts";
export { enrolOwn } from "./enrol-own.ts";
export { type ConnectionStatus, createInbox, type Inbox, type Item } from "./inbox.ts";
export { type Suspicious, suspicious, type Uninspectable, uninspectable } from "./inspect.ts";
export { createDeviceKeys, type DeviceKeys, type DeviceSecrets, deviceKeys, type MadeKeys } from "./keys.ts";
export type { GivenAnswer, OpenedRequest } from "./open.ts";
export { type DeviceProfile, type DeviceStore, memoryDeviceStore, type ProfileId } from "./profile.ts";
export { historyPage } from "./reader.ts";
export { type Homograph, homographs, visible, visibleJson, visibleString } from "./visible.ts";
export {
  byUrgency,
  type ChangedLine,
  changedLines,
  needsCare,
  textsOf,
  timeLeft,
  unsignedWords,
} from "./words.ts";
