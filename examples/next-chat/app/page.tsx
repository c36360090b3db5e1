import { redirect } from "next/navigation";
import { connection } from "next/server";

/** Everybody who comes here begins a chat of their own. */
export default async function Page() {
  await connection();
  redirect(`/chat/${crypto.randomUUID()}`);
}
