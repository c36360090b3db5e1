/** Sealing with the runtime's own KEM (node:crypto, from Node 24 on). */
import { sealing } from "../sealing.ts";

await sealing(5);
