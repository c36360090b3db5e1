/** Runs once when the server starts: from then on, chats go on by themselves when a person has decided. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { startWorker } = await import("./lib/worker.ts");
  startWorker();
}
