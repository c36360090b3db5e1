/**
 * The live screen in a terminal: what happened above, scrolling away as usual, and what waits for an answer
 * below. Drawn by ink; while a person edits, the terminal is the editor's alone.
 */

import { isGuardError } from "@guard/core";
import { type Inbox, type Item, visible } from "@guard/device";
import { Box, render, Static, Text, useInput, useStdout } from "ink";
import { createElement as h, type ReactElement, useSyncExternalStore } from "react";
import type { Line } from "../words.ts";
import { type Controller, createController, type Key } from "./controller.ts";
import { editArguments } from "./editor.ts";

export interface LiveScreen {
  readonly controller: Controller;
  /** Adds a line above. It has to be safe to print. */
  line(line: Line): void;
  /** Resolves when the person quits. */
  readonly quit: Promise<void>;
  close(): void;
}

const looks = {
  title: { bold: true },
  agent: { color: "cyan", italic: true },
  system: {},
  warning: { color: "yellow" },
  danger: { color: "red", bold: true },
  dim: { dimColor: true },
  good: { color: "green" },
} as const;

const lineOf = (line: Line, key: number): ReactElement =>
  h(Text, { key, ...(line.tone ? looks[line.tone] : {}) }, line.text === "" ? " " : line.text);

export function startScreen(options: { inbox: Inbox; autoOpen?: boolean }): LiveScreen {
  const { inbox, autoOpen = false } = options;
  const { promise: quit, resolve } = Promise.withResolvers<void>();
  const listeners = new Set<() => void>();
  let version = 0;
  let above: readonly Line[] = [];
  let instance: ReturnType<typeof render> | null = null;
  let editing = false;
  /** Prints above without breaking lines: an address in two pieces is none. */
  let verbatim: ((text: string) => void) | null = null;

  const onChange = () => {
    version++;
    for (const listener of listeners) listener();
  };
  const line = (added: Line) => {
    const widest = Math.max(...added.text.split(" ").map((word) => word.length));
    if (verbatim && widest >= (process.stdout.columns || 80)) {
      verbatim(`${added.text}\n`);
      return;
    }
    above = [...above, added];
    onChange();
  };
  const controller = createController({
    inbox,
    autoOpen,
    onChange,
    onLine: line,
    onQuit: resolve,
    onEdit: (item) => void setImmediate(() => edit(item)),
  });

  function edit(item: Item): void {
    stop();
    editing = true;
    try {
      controller.edited(item, editArguments(item.opened.args));
    } catch (error) {
      if (!isGuardError(error)) throw error;
      line({ text: visible(error.message), tone: "warning" });
    } finally {
      editing = false;
      start();
    }
  }

  function subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  function Screen(): ReactElement {
    useSyncExternalStore(subscribe, () => version);
    const { stdout, write } = useStdout();
    verbatim = write;
    useInput((input, key) => {
      // Keys that were typed fast arrive in one piece; enter in it is still enter.
      if (/[\r\n]/.test(input) && input.length > 1) {
        for (const part of input.split(/(\r\n|\r|\n)/).filter((text) => text !== "")) {
          const enter = /^[\r\n]/.test(part);
          controller.press({ input: enter ? "" : part, name: enter ? "return" : undefined, ctrl: false });
        }
        return;
      }
      const name: Key["name"] = key.upArrow
        ? "up"
        : key.downArrow
          ? "down"
          : key.pageUp
            ? "pageup"
            : key.pageDown
              ? "pagedown"
              : key.return
                ? "return"
                : key.escape
                  ? "escape"
                  : key.backspace || key.delete
                    ? "backspace"
                    : undefined;
      controller.press({ input, name, ctrl: key.ctrl });
    });
    const rows = Math.max(6, (stdout.rows || 24) - 3);
    const lines = controller.draw({ columns: Math.max(20, (stdout.columns || 80) - 1), rows });
    return h(
      Box,
      { flexDirection: "column" },
      h(Static<Line>, { items: [...above], children: (item: Line, i: number) => lineOf(item, i) }),
      h(Box, { flexDirection: "column", marginTop: 1 }, ...lines.map(lineOf)),
    );
  }

  function start(): void {
    instance = render(h(Screen), { exitOnCtrlC: false, patchConsole: false });
  }

  function stop(): void {
    // The last frame goes; only what scrolled above stays.
    instance?.clear();
    instance?.unmount();
    instance = null;
    verbatim = null;
    // What was printed stays on the terminal; the next instance starts below it.
    above = [];
  }

  // Time left is part of what is shown.
  const clock = setInterval(() => !editing && controller.changed(), 1000);
  start();
  return {
    controller,
    line,
    quit,
    close() {
      clearInterval(clock);
      stop();
    },
  };
}
