/**
 * The live screen as a state machine: keys in, lines out. It draws nothing, so that it can be tested as it is.
 *
 * Guarantees: nothing is approved before its last line was in view (out-of-view); what is dangerous takes the
 * typed word; a key pressed for one request never lands on another, because what is answered is the item that
 * is on screen, not the one that is first by then (stale-decision).
 */
import { isGuardError, type Json } from "@guard/core";
import { type Inbox, type Item, needsCare, timeLeft, visible } from "@guard/device";
import { detailLines, diffLines, type Line, wrapLines } from "../words.ts";
import { listLines } from "./list.ts";
import { createPager } from "./pager.ts";

/** One key press, as ink reports it. */
export interface Key {
  readonly input: string;
  readonly name?: "up" | "down" | "pageup" | "pagedown" | "return" | "escape" | "backspace" | undefined;
  readonly ctrl?: boolean | undefined;
}

type Mode =
  | { readonly kind: "list" }
  | { readonly kind: "detail" }
  | { readonly kind: "word" }
  | { readonly kind: "reason" }
  | { readonly kind: "confirm-edit"; readonly args: Json };

export interface Controller {
  press(key: Key): void;
  /** The lower part of the screen, at most `rows` lines of `columns`. */
  draw(size: { columns: number; rows: number }): readonly Line[];
  /** Something changed: another request, time. */
  changed(): void;
  /** Called with edited arguments, or null where nothing was changed. */
  edited(item: Item, args: Json | null): void;
}

/** How long a request has to be on screen before a key approves it, in milliseconds. */
const settleTime = 600;

const itemId = (item: Item) => `${item.opened.request} ${item.identity}`;
const nameOf = ({ opened }: Item) => `${visible(opened.tool)} ${opened.request.slice(0, 8)}`;

export function createController(options: {
  inbox: Pick<Inbox, "items" | "accept" | "ended">;
  /** Redraws. */
  onChange: () => void;
  /** A line for the part above that scrolls away. */
  onLine: (line: Line) => void;
  onEdit: (item: Item) => void;
  onQuit: () => void;
  /** Opens the most urgent request by itself when nothing else is on screen. */
  autoOpen?: boolean;
  now?: () => number;
}): Controller {
  const { inbox, onChange, onLine, onEdit, onQuit, autoOpen = false, now = Date.now } = options;
  let mode: Mode = { kind: "list" };
  let shown: Item | null = null;
  let cursor = 0;
  const pager = createPager();
  let typed = "";
  let busy = false;
  let note = "";
  let shownAt = 0;

  function show(item: Item): void {
    shown = item;
    mode = { kind: "detail" };
    pager.restart();
    shownAt = now();
    typed = "";
    note = "";
  }

  function back(): void {
    mode = { kind: "list" };
    shown = null;
    typed = "";
    note = "";
  }

  function changed(): void {
    const items = inbox.items();
    cursor = Math.max(0, Math.min(cursor, items.length - 1));
    if (shown && !busy) {
      const id = itemId(shown);
      const current = items.find((item) => itemId(item) === id);
      if (current) shown = current;
      else {
        const why = inbox.ended(shown);
        onLine({
          text: `That request cannot be answered any more: ${nameOf(shown)}${why === null ? "" : `. ${why}`}`,
          tone: "warning",
        });
        back();
      }
    }
    const first = items[0];
    if (autoOpen && !shown && first) show(first);
    onChange();
  }

  async function decide(
    item: Item,
    decision: "approve" | "reject",
    extra: { reason?: string; args?: Json },
  ): Promise<void> {
    busy = true;
    note = "sending …";
    onChange();
    const { device, identity, opened } = item;
    const what = nameOf(item);
    try {
      const view = await device.decide(opened, { decision, ...extra });
      const word =
        decision === "reject"
          ? "rejected"
          : extra.args === undefined
            ? "approved"
            : "approved with other arguments";
      onLine({
        text: `${visible(identity)} ${word}: ${what}`,
        tone: decision === "reject" ? "danger" : "good",
      });
      // It stays on screen until the inbox has taken the answer: until then the inbox lists it still, and a
      // redraw in between would open it anew and tell of it as lost.
      await inbox.accept(device, view);
      back();
    } catch (error) {
      if (!isGuardError(error)) throw error;
      onLine({ text: `${what}: ${visible(error.message)}`, tone: "warning" });
      if (error.code === "expired" || error.relayCode === "already_decided") back();
      else note = visible(error.message);
    } finally {
      busy = false;
      changed();
    }
  }

  function startApproval(): void {
    if (!shown) return;
    if (!pager.seen) note = "Read to the end first: space or page down.";
    // A key meant for the request before this one arrives now (stale-decision).
    else if (now() - shownAt < settleTime) note = "This request has just come up. Press again to approve it.";
    else if (needsCare(shown.opened)) {
      mode = { kind: "word" };
      typed = "";
    } else void decide(shown, "approve", {});
  }

  function pressDetail({ input, name }: Key): void {
    if (!shown) return;
    if (name === "escape" || input === "q") back();
    else if (name === "down" || input === "j") pager.move({ lines: 1 });
    else if (name === "up" || input === "k") pager.move({ lines: -1 });
    else if (name === "pagedown" || input === " ") pager.move({ pages: 1 });
    else if (name === "pageup" || input === "b") pager.move({ pages: -1 });
    else if (input === "a") startApproval();
    else if (input === "r") {
      mode = { kind: "reason" };
      typed = "";
    } else if (input === "e") {
      if (!shown.opened.terms.editable) note = "The arguments of this request may not be edited.";
      else if (!pager.seen) note = "Read to the end first: space or page down.";
      else onEdit(shown);
    }
  }

  function pressTyping(key: Key, done: (text: string) => void): void {
    if (key.name === "escape") {
      mode = { kind: "detail" };
      typed = "";
    } else if (key.name === "return") done(typed);
    else if (key.name === "backspace") typed = [...typed].slice(0, -1).join("");
    else if (!key.ctrl && key.input !== "") typed += key.input;
  }

  function pressList({ input, name }: Key): void {
    const items = inbox.items();
    if (name === "down" || input === "j") cursor = Math.min(cursor + 1, items.length - 1);
    else if (name === "up" || input === "k") cursor = Math.max(cursor - 1, 0);
    else if (input === "q" && !autoOpen) onQuit();
    else if (name === "return") {
      const item = items[cursor];
      if (item) show(item);
    }
  }

  function press(key: Key): void {
    if (key.ctrl && key.input === "c") {
      onQuit();
      return;
    }
    if (busy) return;
    note = "";
    switch (mode.kind) {
      case "list":
        pressList(key);
        break;
      case "detail":
        pressDetail(key);
        break;
      case "word":
        pressTyping(key, (text) => {
          if (text.trim() === "approve" && shown) void decide(shown, "approve", {});
          else note = "Type the word approve, or press escape.";
        });
        break;
      case "reason":
        pressTyping(key, (text) => {
          const reason = text.trim();
          if (shown) void decide(shown, "reject", reason === "" ? {} : { reason });
        });
        break;
      case "confirm-edit": {
        const { args } = mode;
        pressTyping(key, (text) => {
          if (!shown) return;
          const wanted = needsCare(shown.opened) ? "approve" : "y";
          if (text.trim() === wanted) void decide(shown, "approve", { args });
          else note = `Type ${wanted}, or press escape.`;
        });
        break;
      }
    }
    onChange();
  }

  function draw({ columns, rows }: { columns: number; rows: number }): readonly Line[] {
    if (!shown || mode.kind === "list") {
      return listLines({ items: inbox.items(), cursor, columns, rows, now: now(), quits: !autoOpen });
    }
    const { opened, identity } = shown;
    const waiting = inbox.items().length;
    const head: Line = {
      text: `── for ${visible(identity)} ── ${timeLeft(opened.expiresAt, now())} left${waiting > 1 ? ` ── ${waiting - 1} more waiting` : ""}`,
      tone: "dim",
    };
    const foot: Line[] = note === "" ? [] : [{ text: note, tone: "warning" }];
    const prompt = (text: string): Line => ({ text: `${text}${visible(typed)}▏`, tone: "title" });
    switch (mode.kind) {
      case "detail": {
        const edit = opened.terms.editable ? "  [e]dit" : "";
        foot.push({ text: `[a]pprove  [r]eject${edit}  [esc] list`, tone: "title" });
        break;
      }
      case "word":
        foot.push(
          prompt(`This is ${opened.facts.risk} risk. Type approve to approve as ${visible(identity)}: `),
        );
        break;
      case "reason":
        foot.push(prompt("Reason for the rejection (goes to the agent; enter sends, esc goes back): "));
        break;
      case "confirm-edit":
        foot.push(
          prompt(
            `Approve with these changes as ${visible(identity)}? ${needsCare(opened) ? "Type approve" : "y"}: `,
          ),
        );
    }
    const tail = wrapLines(foot, columns);
    const body =
      mode.kind === "confirm-edit" ? diffLines(opened.args, mode.args) : detailLines(opened, identity, now());
    return [head, ...pager.page(wrapLines(body, columns), Math.max(2, rows - tail.length - 1)), ...tail];
  }

  return {
    press,
    draw,
    changed,
    edited(item, args) {
      if (!shown || itemId(shown) !== itemId(item)) return;
      pager.toTop();
      if (args === null) {
        mode = { kind: "detail" };
        note = "Nothing was changed.";
      } else {
        mode = { kind: "confirm-edit", args };
        typed = "";
      }
      onChange();
    },
  };
}
