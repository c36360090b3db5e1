/** What an edit changes, in full, before it can be approved. */
import type { ChangedLine } from "@guard/device";
import { pieceKey } from "./parts.ts";
import { usePart } from "./use-in-view.ts";

/** The keys of the lines of a difference, for {@link Changes}. */
export const changeKeys = (lines: readonly ChangedLine[]): readonly string[] =>
  lines.map((_, i) => pieceKey("change", i));

const signs = { same: " ", old: "−", new: "+" } as const;
const words = { same: "", old: "no more: ", new: "new: " } as const;

function Line({ kind, text, part }: { kind: keyof typeof signs; text: string; part: string }) {
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
export function Changes({ lines }: { lines: readonly ChangedLine[] }) {
  return (
    <section class="changes" data-step aria-labelledby="detail-changes">
      <h2 id="detail-changes">What you change</h2>
      <ul class="diff">
        {lines.map(({ kind, text }, i) => {
          const key = pieceKey("change", i);
          return <Line key={key} part={key} kind={kind} text={text} />;
        })}
      </ul>
    </section>
  );
}
