import { chatIdSchema } from "../../../../lib/chats.ts";
import { viewOf } from "../../../../lib/view.ts";

/** What a page asks while something runs or waits: the chat, where it is newer than what the page shows. */
export async function GET(request: Request, { params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  if (!chatIdSchema.safeParse(id).success) return new Response("There is no such chat.", { status: 404 });
  const seen = new URL(request.url).searchParams.get("seen");
  return Response.json(await viewOf(id, seen === null ? null : Number(seen)));
}
