import { consumeStream, createUIMessageStreamResponse } from "ai";
import * as z from "zod";
import { chatIdSchema } from "../../../lib/chats.ts";
import { answer } from "../../../lib/turn.ts";

/** A chat and what its user says, and nothing else: no history, no tool calls, no approvals (forged-history). */
const bodySchema = z.strictObject({ chat: chatIdSchema, text: z.string().trim().min(1).max(4000) });

export async function POST(request: Request): Promise<Response> {
  const body = bodySchema.safeParse(await request.json().catch(() => null));
  if (!body.success) return new Response("Send { chat, text } and nothing else.", { status: 400 });
  const stream = await answer(body.data.chat, body.data.text);
  if (stream === null) return new Response("This chat is busy: something runs or waits.", { status: 409 });
  // Read to its end here too, so that a turn ends and is saved when the browser has gone.
  return createUIMessageStreamResponse({ stream, consumeSseStream: consumeStream });
}
