/** Sealing with the KEM in JavaScript, as on Node 22 and in browsers without ML-KEM. Reported, without a goal. */
const crypto = process.getBuiltinModule("node:crypto") as { encapsulate?: unknown };
delete crypto.encapsulate;
const { sealing } = await import("../sealing.ts");

await sealing(null);
