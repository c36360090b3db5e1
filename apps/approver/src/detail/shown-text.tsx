/** Text that somebody else wrote: always as text, with what is hidden in it made visible, and in watched pieces. */
import { pieceKey, pieces } from "./parts.ts";
import { usePart } from "./use-in-view.ts";

function Piece({ part, text }: { part: string; text: string }) {
  const ref = usePart<HTMLSpanElement>(part);
  return text === "" ? (
    <em ref={ref} class="nothing">
      empty text
    </em>
  ) : (
    // dir: right-to-left letters stay in order among themselves, and reorder nothing around them.
    <bdi ref={ref} dir="ltr">
      {text}
    </bdi>
  );
}

/** `text` in full; `path` names its parts. A `name` takes one line. */
export function ShownText({ text, path, name = false }: { text: string; path: string; name?: boolean }) {
  return pieces(text, { name }).map((piece, i) => {
    const key = pieceKey(path, i);
    return <Piece key={key} part={key} text={piece} />;
  });
}
