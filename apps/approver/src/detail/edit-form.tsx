/** Other arguments: the form, and then what it changes, in full, before that can be approved. */
import type { ChangedLine, OpenedRequest } from "@guard/device";
import { Field } from "./form-fields.tsx";
import type { FormNode } from "./form-model.ts";
import { pieceKey } from "./parts.ts";
import { usePart } from "./use-in-view.ts";

export function EditForm(props: {
  opened: OpenedRequest;
  form: FormNode;
  problems: readonly string[];
  onChange: (form: FormNode) => void;
}) {
  const { opened, form, problems, onChange } = props;
  return (
    <section class="edit-form" data-step aria-labelledby="detail-edit">
      <h2 id="detail-edit">Other arguments</h2>
      <p class="remark">
        {opened.terms.quorum > 1
          ? "More than one person has to approve, so what you change is asked of everybody anew."
          : "The tool runs with what you enter here, if you approve it."}
      </p>
      <Field label="Arguments" node={form} root={opened.schema} onChange={onChange} />
      <div role="alert">
        {problems.map((problem) => (
          <p key={problem} class="warning">
            {problem}
          </p>
        ))}
      </div>
    </section>
  );
}

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
