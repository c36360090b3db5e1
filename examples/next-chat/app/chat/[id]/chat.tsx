"use client";

/** The page of a chat. It shows what the server has and sends what its user types; it decides nothing. */
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { type FormEvent, useState } from "react";
import type { ChatMessage, ChatView } from "../../../lib/message.ts";
import { useFollow } from "./follow.ts";
import { Message } from "./message.tsx";

/** Sends what was typed and nothing else: the history is the server's own (forged-history). */
const transport = new DefaultChatTransport<ChatMessage>({
  api: "/api/chat",
  prepareSendMessagesRequest({ id, messages }) {
    const parts = messages.at(-1)?.parts ?? [];
    const text = parts.map((part) => (part.type === "text" ? part.text : "")).join("");
    return { body: { chat: id, text } };
  },
});

const suggestions = [
  "Refund 900 for order 1003, it came three weeks late",
  "Refund 40 for order 1007, one cushion is missing",
  "What did I pay for order 1003?",
];

export function Chat({ id, first }: { id: string; first: ChatView }) {
  const { messages, setMessages, sendMessage, status, error } = useChat<ChatMessage>({
    id,
    messages: first.messages ?? [],
    transport,
  });
  const [text, setText] = useState("");
  const isSending = status === "submitted" || status === "streaming";
  const isWorking = useFollow(id, first, { paused: isSending, show: setMessages });
  const isBusy = isSending || isWorking;

  function send(said: string) {
    if (said.trim() === "" || isBusy) return;
    setText("");
    void sendMessage({ text: said });
  }

  return (
    <div className="page">
      <header>
        <h1>Shop support</h1>
        <a href="/">New chat</a>
      </header>
      <main>
        <div className="thread">
          {messages.length === 0 && (
            <section className="welcome">
              <h2>How can we help?</h2>
              <p>Small refunds are made at once. Larger ones are for a person to decide.</p>
              {suggestions.map((suggestion) => (
                <button key={suggestion} type="button" onClick={() => send(suggestion)}>
                  {suggestion}
                </button>
              ))}
            </section>
          )}
          {messages.map((message) => (
            <Message key={message.id} message={message} />
          ))}
          {status === "submitted" && <p className="thinking">…</p>}
          {error && (
            <p className="problem" role="alert">
              That did not work: {error.message}
            </p>
          )}
        </div>
      </main>
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          send(text);
        }}
      >
        <input
          aria-label="Message"
          placeholder={isWorking ? "Waiting for a decision…" : "Write a message"}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" disabled={isBusy || text.trim() === ""}>
          Send
        </button>
      </form>
    </div>
  );
}
