/** Other arguments: the form for them. */
import type { OpenedRequest } from "@guard/device";
import { Field } from "./form-fields.tsx";
import type { FormNode } from "./form-model.ts";

export function EditForm(props: {
  opened: OpenedRequest;
  form: FormNode;
  onChange: (form: FormNode) => void;
}) {
  const { opened, form, onChange } = props;
  return (
    <>
      <p class="remark">
        {opened.terms.quorum > 1
          ? "More than one person has to approve, so what you change is asked of everybody anew."
          : "The tool runs with what you enter here, if you approve it."}
      </p>
      <Field label="Arguments" node={form} root={opened.schema} onChange={onChange} />
    </>
  );
}
