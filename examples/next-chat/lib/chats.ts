/**
 * The chats, on the server: one JSON file each, replaced as a whole. Only the server writes what the assistant
 * said and what its tools gave; a client adds texts of its own and nothing else (forged-history).
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isToolUIPart } from "ai";
import * as z from "zod";
import { dataDirectory } from "./data.ts";
import type { ChatMessage } from "./message.ts";

export interface Chat {
  /** Counts what was saved: a page asks for what is newer than what it shows. */
  readonly version: number;
  readonly messages: ChatMessage[];
}

/** Ids come from the client and become names of files. */
export const chatIdSchema = z.uuid();

const fileOf = (id: string) => join(dataDirectory, "chats", `${chatIdSchema.parse(id)}.json`);

export async function loadChat(id: string): Promise<Chat> {
  try {
    return JSON.parse(await readFile(fileOf(id), "utf8")) as Chat;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { version: 0, messages: [] };
    throw error;
  }
}

export async function saveChat(id: string, messages: ChatMessage[]): Promise<void> {
  const file = fileOf(id);
  const { version } = await loadChat(id);
  await mkdir(join(dataDirectory, "chats"), { recursive: true });
  const chat: Chat = { version: version + 1, messages };
  await writeFile(`${file}.new`, JSON.stringify(chat, null, 2));
  await rename(`${file}.new`, file);
}

/** Whether the last turn waits for a person: it goes on when they have decided. */
export function isWaiting(messages: readonly ChatMessage[]): boolean {
  return (messages.at(-1)?.parts ?? []).some(
    (part) => isToolUIPart(part) && part.state === "approval-requested",
  );
}
