/** What an edit changes, in full, before it can be approved. */
import type { Json } from "@guard/core";
import { type ChangedLine, changedLines } from "@guard/device";
import { pieceKey } from "./parts.ts";
import { usePart } from "./use-in-view.ts";

/** A line, and the part of the page that it is. */
type Shown = ChangedLine & { readonly part: string };

export function changesOf(before: Json, after: Json): readonly Shown[] {
  return changedLines(before, after).map((line, i) => ({ ...line, part: pieceKey("change", i) }));
}

const signs = { same: " ", old: "−", new: "+" } as const;
const words = { same: "", old: "no more: ", new: "new: " } as const;

function Line({ kind, text, part }: Shown) {
  const ref = usePart<HTMLLIElement>(part);
  return (
    <li ref={ref} class={kind}>
      <span aria-hidden="true">{signs[kind]} </span>
      <span class="unseen">{words[kind]}</span>
      {text}
    </li>
  );
}

/** What an edit changes, line by line; nothing is left out. */
export function Changes({ lines }: { lines: readonly Shown[] }) {
  return (
    <section class="changes" data-step aria-labelledby="detail-changes">
      <h2 id="detail-changes">What you change</h2>
      <ul class="diff">
        {lines.map((line) => (
          <Line key={line.part} {...line} />
        ))}
      </ul>
    </section>
  );
}
