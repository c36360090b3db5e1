/** The fields of a form: one for each kind of value, labelled with its name and the tool's own description of it. */

import type { Json } from "@guard/core";
import { visible, visibleJson } from "@guard/device";
import { useId } from "preact/hooks";
import { blankForm, type FormMember, type FormNode } from "./form-model.ts";

interface FieldProps<Node extends FormNode = FormNode> {
  label: string;
  node: Node;
  /** The whole schema, for what it refers to. */
  root: Json;
  onChange: (node: FormNode) => void;
}
type Of<Kind extends FormNode["kind"]> = FieldProps<Extract<FormNode, { kind: Kind }>>;

function Labelled(props: { id: string; label: string; node: FormNode; children: preact.ComponentChildren }) {
  const { description } = props.node.schema;
  return (
    <div class="field">
      <label for={props.id}>{props.label}</label>
      {typeof description === "string" && <p class="remark">{visible(description)}</p>}
      {props.children}
    </div>
  );
}

function TextField({ label, node, onChange }: Of<"text">) {
  const id = useId();
  const shown = visible(node.text, { lines: true });
  const change = (text: string) => onChange({ ...node, text });
  return (
    <Labelled id={id} label={label} node={node}>
      {node.text.includes("\n") || node.text.length > 60 ? (
        <textarea id={id} rows={5} value={node.text} onInput={(event) => change(event.currentTarget.value)} />
      ) : (
        <input
          id={id}
          value={node.text}
          autoComplete="off"
          onInput={(event) => change(event.currentTarget.value)}
        />
      )}
      {/* A field draws hidden characters as nothing. */}
      {shown !== node.text && <p class="warning">In this text, with what a field does not show: {shown}</p>}
    </Labelled>
  );
}

function NumberField({ label, node, onChange }: Of<"number">) {
  const id = useId();
  return (
    <Labelled id={id} label={label} node={node}>
      {/* Not type=number: that swallows what it cannot read, and turns with the mouse's wheel. */}
      <input
        id={id}
        inputMode="decimal"
        autoComplete="off"
        value={node.text}
        onInput={(event) => onChange({ ...node, text: event.currentTarget.value })}
      />
    </Labelled>
  );
}

function BooleanField({ label, node, onChange }: Of<"boolean">) {
  const id = useId();
  const { description } = node.schema;
  return (
    <div class="field check">
      <input
        id={id}
        type="checkbox"
        checked={node.value}
        onChange={(event) => onChange({ ...node, value: event.currentTarget.checked })}
      />
      <label for={id}>{label}</label>
      {typeof description === "string" && <p class="remark">{visible(description)}</p>}
    </div>
  );
}

function ChoiceField({ label, node, onChange }: Of<"choice">) {
  const id = useId();
  return (
    <Labelled id={id} label={label} node={node}>
      <select
        id={id}
        value={node.chosen}
        onChange={(event) => onChange({ ...node, chosen: event.currentTarget.selectedIndex })}
      >
        {node.options.map((option, i) => (
          <option key={i} value={i}>
            {typeof option === "string" ? visible(option) : visibleJson(option).join(" ")}
          </option>
        ))}
      </select>
    </Labelled>
  );
}

function NullableField({ label, node, root, onChange }: Of<"nullable">) {
  const id = useId();
  return (
    <div class="group">
      <div class="field check">
        <input
          id={id}
          type="checkbox"
          checked={!node.isNull}
          onChange={(event) =>
            onChange({
              ...node,
              isNull: !event.currentTarget.checked,
              node: node.node ?? blankForm(node.inner, root),
            })
          }
        />
        <label for={id}>{label} has a value</label>
      </div>
      {!node.isNull && node.node && (
        <Field
          label={label}
          node={node.node}
          root={root}
          onChange={(inner) => onChange({ ...node, node: inner })}
        />
      )}
    </div>
  );
}

function ObjectField({ label, node, root, onChange }: Of<"object">) {
  const change = (member: FormMember) =>
    onChange({ ...node, members: node.members.map((one) => (one.name === member.name ? member : one)) });
  return (
    <fieldset>
      <legend>{label}</legend>
      {node.members.map((member) => {
        const name = visible(member.name) || "(no name)";
        if (!member.present || !member.node) {
          return (
            <button
              key={member.name}
              type="button"
              class="small"
              onClick={() =>
                change({ ...member, present: true, node: member.node ?? blankForm(member.schema, root) })
              }
            >
              Add {name}
            </button>
          );
        }
        return (
          <div key={member.name} class="removable">
            <Field
              label={name}
              node={member.node}
              root={root}
              onChange={(inner) => change({ ...member, node: inner })}
            />
            {!member.required && (
              <button
                type="button"
                class="small"
                aria-label={`Remove ${name}`}
                onClick={() => change({ ...member, present: false })}
              >
                Remove
              </button>
            )}
          </div>
        );
      })}
    </fieldset>
  );
}

function ListField({ label, node, root, onChange }: Of<"list">) {
  const { items } = node.schema;
  return (
    <fieldset>
      <legend>{label}</legend>
      {node.entries.map((entry, at) => (
        <div key={at} class="removable">
          <Field
            label={`${label} ${at + 1}`}
            node={entry}
            root={root}
            onChange={(inner) =>
              onChange({ ...node, entries: node.entries.map((one, i) => (i === at ? inner : one)) })
            }
          />
          <button
            type="button"
            class="small"
            aria-label={`Remove ${label} ${at + 1}`}
            onClick={() => onChange({ ...node, entries: node.entries.filter((_, i) => i !== at) })}
          >
            Remove
          </button>
        </div>
      ))}
      <button
        type="button"
        class="small"
        onClick={() => onChange({ ...node, entries: [...node.entries, blankForm(items, root)] })}
      >
        Add an entry
      </button>
    </fieldset>
  );
}

function JsonField({ label, node, onChange }: Of<"json">) {
  const id = useId();
  const shown = visible(node.text, { lines: true, layout: true });
  return (
    <Labelled id={id} label={`${label} (JSON)`} node={node}>
      <textarea
        id={id}
        class="code"
        rows={Math.min(16, node.text.split("\n").length + 1)}
        spellcheck={false}
        value={node.text}
        onInput={(event) => onChange({ ...node, text: event.currentTarget.value })}
      />
      {shown !== node.text && <pre class="warning">{shown}</pre>}
    </Labelled>
  );
}

export function Field(props: FieldProps) {
  const { node, ...rest } = props;
  switch (node.kind) {
    case "text":
      return <TextField node={node} {...rest} />;
    case "number":
      return <NumberField node={node} {...rest} />;
    case "boolean":
      return <BooleanField node={node} {...rest} />;
    case "choice":
      return <ChoiceField node={node} {...rest} />;
    case "nullable":
      return <NullableField node={node} {...rest} />;
    case "object":
      return <ObjectField node={node} {...rest} />;
    case "list":
      return <ListField node={node} {...rest} />;
    case "json":
      return <JsonField node={node} {...rest} />;
  }
}
