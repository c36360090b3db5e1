/**
 * A JSON value as a person reads it: a line for each member, nothing folded away that could be read, nothing
 * cut. Texts stand in boxes of their own, so that no text can pass for a line of the page.
 *
 * Of thousands of members those that come near the view are drawn: what was not drawn was not seen (out-of-view),
 * and the way to what was not seen yet leads there.
 */
import { canonicalJson, type Json } from "@guard/core";
import { type Suspicious, visible } from "@guard/device";
import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import type { Folded } from "./folding.ts";
import { memberPath, membersOf, nameKey, pieceKey } from "./parts.ts";
import { ShownText } from "./shown-text.tsx";
import { usePart } from "./use-in-view.ts";

/** What is known about the values in a tree, by path. */
export interface Remarks {
  /** Values that are drawn as one part, because nobody could read them. */
  readonly folded: ReadonlyMap<string, Folded>;
  readonly suspicious: ReadonlyMap<string, readonly Suspicious[]>;
  unfold(path: string): void;
  waive(path: string): void;
}

export const RemarksContext = createContext<Remarks>({
  folded: new Map(),
  suspicious: new Map(),
  unfold: () => {},
  waive: () => {},
});

/** How many members are drawn at once. */
const batch = 50;
/** How near, in CSS pixels, the view comes before more are drawn. */
const nearby = 1500;

/** How many characters of a folded value stand at either end of it. */
const preview = 60;

function FoldedValue({ value, fold }: { value: Json; fold: Folded }) {
  const { unfold, waive } = useContext(RemarksContext);
  const ref = usePart<HTMLDivElement>(pieceKey(fold.path, 0), "place");
  const text = typeof value === "string" ? value : canonicalJson(value);
  return (
    <div ref={ref} class="folded">
      <p class="warning">
        Nobody can read this: {fold.why}, {fold.bytes.toLocaleString("en")} bytes.
      </p>
      <p class="text">
        {visible(text.slice(0, preview))}
        <em class="nothing"> … {text.length - 2 * preview} characters are not shown here … </em>
        {visible(text.slice(-preview))}
      </p>
      <p class="digest">
        SHA-256 <code>{fold.sha256}</code>
      </p>
      <div class="choices">
        <button type="button" onClick={() => unfold(fold.path)}>
          Show all of it
        </button>
        <button type="button" aria-pressed={fold.waived} onClick={() => waive(fold.path)}>
          {fold.waived ? "✓ " : ""}I decide without reading it
        </button>
      </div>
    </div>
  );
}

/** What is wrong with the text at `path`, beside it. */
export function Warnings({ path }: { path: string }) {
  const found = useContext(RemarksContext).suspicious.get(path) ?? [];
  return found.map(({ text }) => (
    <span key={text} class="warning">
      {text}
    </span>
  ));
}

function Plain({ value, path }: { value: Exclude<Json, string>; path: string }) {
  const ref = usePart<HTMLSpanElement>(pieceKey(path, 0));
  const members = membersOf(value);
  const list = Array.isArray(value);
  if (members) {
    const count = members.length;
    const word = list ? (count === 1 ? "entry" : "entries") : count === 1 ? "member" : "members";
    return (
      <span ref={ref} class="kind">
        {count === 0 ? (list ? "an empty list" : "nothing in it") : `${count} ${word}`}
      </span>
    );
  }
  return (
    <span ref={ref} class="scalar">
      {JSON.stringify(value)}
    </span>
  );
}

function Value({ value, path }: { value: Json; path: string }) {
  const fold = useContext(RemarksContext).folded.get(path);
  if (fold) return <FoldedValue value={value} fold={fold} />;
  if (typeof value !== "string") return <Plain value={value} path={path} />;
  return (
    <span class="text">
      <ShownText text={value} path={path} />
    </span>
  );
}

function Members({ value, path }: { value: Json; path: string }) {
  const folded = useContext(RemarksContext).folded.has(path);
  const members = membersOf(value);
  if (folded || !members || members.length === 0) return null;
  return (
    <ul>
      <Batch members={members} path={path} from={0} />
    </ul>
  );
}

type ListProps = { members: NonNullable<ReturnType<typeof membersOf>>; path: string; from: number };

/** Members from `from` on: some at once, and the rest once somebody comes near it. */
function Batch({ members, path, from }: ListProps) {
  const [more, setMore] = useState(false);
  const to = from + batch;
  return (
    <>
      {members.slice(from, to).map(([name, member]) => {
        const at = memberPath(path, name);
        return (
          <li key={at}>
            <div class="member">
              <span class="name">
                {typeof name === "number" ? (
                  `${name + 1}.`
                ) : (
                  <ShownText name text={name} path={nameKey(at)} />
                )}
              </span>{" "}
              <Value value={member} path={at} />
              <Warnings path={at} />
            </div>
            <Members value={member} path={at} />
          </li>
        );
      })}
      {members.length > to &&
        (more ? (
          <Batch members={members} path={path} from={to} />
        ) : (
          <Rest members={members} path={path} from={to} onNear={() => setMore(true)} />
        ))}
    </>
  );
}

/** Stands for what is not drawn yet. */
function Rest({ members, path, from, onNear }: ListProps & { onNear: () => void }) {
  const [name] = members[from] as (typeof members)[number];
  const at = memberPath(path, name);
  const ref = usePart<HTMLLIElement>(pieceKey(typeof name === "number" ? at : nameKey(at), 0), "place");
  useEffect(() => {
    const near = new IntersectionObserver(([entry]) => entry?.isIntersecting && onNear(), {
      rootMargin: `${nearby}px 0px`,
    });
    if (ref.current) near.observe(ref.current);
    return () => near.disconnect();
  }, []);
  return (
    <li ref={ref} class="nothing">
      … {members.length - from} more
    </li>
  );
}

/** `value` in full; `path` is what its parts are named by. */
export function ArgumentsTree({ value, path = "$" }: { value: Json; path?: string }) {
  return (
    <div class="tree">
      <Value value={value} path={path} />
      <Warnings path={path} />
      <Members value={value} path={path} />
    </div>
  );
}
