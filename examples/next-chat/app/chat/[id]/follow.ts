import { useEffect, useRef, useState } from "react";
import type { ChatMessage, ChatView } from "../../../lib/message.ts";

/**
 * Keeps the page at what the server has, while something runs or waits there. It asks once a second, and
 * never where nothing does: that works through every proxy, whichever server answers, over any restart.
 */
export function useFollow(
  id: string,
  first: ChatView,
  options: { readonly paused: boolean; readonly show: (messages: ChatMessage[]) => void },
): boolean {
  const { paused, show } = options;
  const [busy, setBusy] = useState(first.busy);
  const version = useRef(first.version);
  useEffect(() => {
    if (paused) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    async function ask(): Promise<void> {
      const view = await fetchView(id, version.current, stop.signal);
      if (stop.signal.aborted) return;
      if (view) {
        version.current = view.version;
        if (view.messages) show(view.messages);
        setBusy(view.busy);
      }
      if (view?.busy !== false) timer = setTimeout(ask, 1000);
    }
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [id, paused, show]);
  return busy;
}

/** Null where the server cannot be reached right now. */
async function fetchView(id: string, seen: number, signal: AbortSignal): Promise<ChatView | null> {
  try {
    const response = await fetch(`/api/chat/${id}?seen=${seen}`, { signal, cache: "no-store" });
    return response.ok ? ((await response.json()) as ChatView) : null;
  } catch {
    return null;
  }
}
