/** What somebody has typed into the form for other arguments. */
import type { Json } from "@guard/core";
import type { OpenedRequest } from "@guard/device";
import { useState } from "preact/hooks";
import { type Later, useLater } from "../state/load-later.ts";
import type { FormNode } from "./form-model.ts";

export interface BeingEdited {
  /** The form, and what it holds now; null until it was loaded. */
  readonly shown: { readonly EditForm: Later["EditForm"]; readonly form: FormNode } | null;
  readonly problems: readonly string[];
  change(form: FormNode): void;
  /** What was entered, where it can be sent; otherwise null, and `problems` says what is wrong with it. */
  check(): Json | null;
  /** What {@link check} gave, beside what was asked. */
  changesTo(args: Json): {
    readonly Changes: Later["Changes"];
    readonly lines: ReturnType<Later["changesOf"]>;
  };
}

export function useEditing({ schema, args }: OpenedRequest): BeingEdited {
  const { code, problem } = useLater();
  const [changed, setChanged] = useState<FormNode | null>(null);
  const [problems, setProblems] = useState<readonly string[]>([]);
  const form = changed ?? code?.toForm(schema, args) ?? null;
  return {
    shown: code && form && { EditForm: code.EditForm, form },
    problems: problem === null ? problems : [problem],
    change: setChanged,
    check() {
      if (!code || !form) return null;
      const checked = code.checkEdit(form, args, schema);
      if (checked.kind === "usable") {
        setProblems([]);
        return checked.args;
      }
      setProblems(checked.kind === "unchanged" ? ["Nothing was changed yet."] : checked.problems);
      return null;
    },
    changesTo(to) {
      if (!code) throw new Error("Nothing was edited yet.");
      return { Changes: code.Changes, lines: code.changesOf(args, to) };
    },
  };
}
