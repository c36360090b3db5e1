import { join } from "node:path";

/** Where the example keeps its chats and the shop's books; a real application has a database. */
export const dataDirectory = process.env.DATA_DIRECTORY ?? ".data";

export const refundsFile = join(dataDirectory, "refunds.jsonl");
