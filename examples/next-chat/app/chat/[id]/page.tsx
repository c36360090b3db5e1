import { notFound } from "next/navigation";
import { chatIdSchema } from "../../../lib/chats.ts";
import { viewOf } from "../../../lib/view.ts";
import { Chat } from "./chat.tsx";

/** The chat as the server has it: a reload shows the same, also what happened while no page was open. */
export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  if (!chatIdSchema.safeParse(id).success) notFound();
  return <Chat id={id} first={await viewOf(id, null)} />;
}
