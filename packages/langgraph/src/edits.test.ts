import { AIMessage } from "@langchain/core/messages";
import { expect, test } from "vitest";
import { withEdits } from "./edits.ts";

test("an edit reaches every copy of the arguments that a message holds, and nothing else of it changes", () => {
  const asked = { order: "A", amount: 900 };
  const message = new AIMessage({
    id: "m1",
    content: [
      { type: "text", text: "I refund both." },
      { type: "tool_use", id: "c1", name: "refund", input: asked },
      { type: "tool_call", id: "c2", name: "refund", args: asked },
    ],
    tool_calls: ["c1", "c2", "c3"].map((id) => ({ type: "tool_call", id, name: "refund", args: asked })),
    additional_kwargs: {
      tool_calls: ["c1", "c3"].map((id) => ({
        id,
        type: "function" as const,
        function: { name: "refund", arguments: JSON.stringify(asked) },
      })),
    },
    response_metadata: {
      model: "x",
      output: [
        { type: "function_call", id: "fc_1", call_id: "c2", arguments: JSON.stringify(asked) },
        { type: "message", id: "msg_1" },
      ],
    },
  });
  // Its type says that it is undefined, whatever the message.
  Object.assign(message, { usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3 } });
  const before = JSON.stringify(message);
  const edited = { order: "A", amount: 90 };
  const after = withEdits(
    message,
    new Map([
      ["c1", edited],
      ["c2", edited],
    ]),
  );
  expect(after.id).toBe("m1");
  expect(after.tool_calls?.map(({ args }) => args)).toEqual([edited, edited, asked]);
  expect(JSON.stringify([after.content, after.additional_kwargs, after.response_metadata])).toBe(
    JSON.stringify([
      [
        { type: "text", text: "I refund both." },
        { type: "tool_use", id: "c1", name: "refund", input: edited },
        { type: "tool_call", id: "c2", name: "refund", args: edited },
      ],
      {
        tool_calls: [
          { id: "c1", type: "function", function: { name: "refund", arguments: JSON.stringify(edited) } },
          { id: "c3", type: "function", function: { name: "refund", arguments: JSON.stringify(asked) } },
        ],
      },
      {
        model: "x",
        output: [
          { type: "function_call", id: "fc_1", call_id: "c2", arguments: JSON.stringify(edited) },
          { type: "message", id: "msg_1" },
        ],
      },
    ]),
  );
  expect(after.usage_metadata).toEqual(message.usage_metadata);
  expect(JSON.stringify(message)).toBe(before);
});

test("a message of plain text and calls keeps its text", () => {
  const message = new AIMessage({
    id: "m",
    content: "Now.",
    tool_calls: [{ type: "tool_call", id: "c", name: "pay", args: { n: 1 } }],
  });
  const after = withEdits(message, new Map([["c", { n: 2 }]]));
  expect([after.content, after.tool_calls?.[0]?.args]).toEqual(["Now.", { n: 2 }]);
});
