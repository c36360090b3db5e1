/**
 * `@guard/device/browser`: a device in a page. Its keys are made there and stay there: a passkey, a
 * non-extractable WebCrypto key, or a seed that only a non-extractable key in the same browser can unwrap.
 */
export { type BrowserKeysOptions, createBrowserKeys } from "./keys.ts";
export { passkeySigner, passkeysAvailable, signerOf } from "./passkey.ts";
export { type BrowserDeviceStore, openBrowserStore } from "./store.ts";
export { exclusively, keepStorage } from "./tabs.ts";
