/** One request in a list: what, of whom, how dangerous, how long. The list may shorten; the request itself is shown in full. */
import { type Item, timeLeft, visible, visibleString } from "@guard/device";
import { useMemo } from "preact/hooks";
import { fragmentOf } from "../state/routes.ts";

const longest = 160;

/** The arguments in one line; what is cut ends in an ellipsis. */
export function preview(args: Item["opened"]["args"]): string {
  const part = (value: unknown) =>
    typeof value === "string"
      ? visibleString(value.slice(0, longest))
      : typeof value === "object" && value !== null
        ? Array.isArray(value)
          ? `[${value.length} ${value.length === 1 ? "value" : "values"}]`
          : "{…}"
        : String(value);
  const members =
    typeof args === "object" && args !== null && !Array.isArray(args)
      ? Object.entries(args)
          // More of them than fit in any case.
          .slice(0, longest)
          .map(([name, value]) => `${visible(name.slice(0, longest))}: ${part(value)}`)
      : [part(args)];
  const line = members.join(" · ");
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}

const timeTone = (left: number) => (left < 60_000 ? "soon" : left < 300_000 ? "near" : "");

export function RequestRow(props: {
  item: Item;
  now: number;
  /** Why it cannot be answered any more, or null. */
  ended: string | null;
  current: boolean;
  /** Whether to say for whom: several people decide on this page. */
  named: boolean;
}) {
  const { item, now, ended, current, named } = props;
  const { opened, identity } = item;
  const { facts, terms } = opened;
  const risk = facts.risk ?? "none";
  const line = useMemo(() => preview(opened.args), [opened.args]);
  const left = ended === null ? `${timeLeft(opened.expiresAt, now)} left` : "closed";
  const tone = timeTone(opened.expiresAt - now);
  const given = terms.quorum > 1 ? `${terms.quorum - opened.missing} of ${terms.quorum} approved` : null;
  // Hundreds of rows are asked every second; those in which nothing changed stay as they are.
  return useMemo(
    () => (
      <li class="row-place">
        <a
          class={`row${ended === null ? "" : " ended"}`}
          href={fragmentOf({ view: "request", request: opened.request, identity })}
          aria-current={current ? "true" : undefined}
        >
          <span class={`risk ${risk}`}>{facts.risk ?? "risk not given"}</span>
          <span class="row-tool">{visible(opened.tool)}</span>
          <span class={`row-time ${tone}`}>{left}</span>
          <span class="row-args">{ended ?? line}</span>
          <span class="row-from">
            from {visible(opened.agent)}
            {named && ` · for ${visible(identity)}`}
            {given && ` · ${given}`}
          </span>
        </a>
      </li>
    ),
    [item, left, tone, ended, current, named],
  );
}
