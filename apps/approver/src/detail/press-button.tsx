/** A button that says when the press on it began, which may be well before the click that ends it (stale-decision). */
import { useRef } from "preact/hooks";

export function PressButton(props: {
  label: string;
  kind: "approve" | "reject" | "plain";
  onPress: (at: number) => void;
  disabled: boolean;
  describedBy: string;
}) {
  const { label, kind, onPress, disabled, describedBy } = props;
  const began = useRef<number | null>(null);
  return (
    <button
      type="button"
      class={kind}
      aria-disabled={disabled}
      aria-describedby={describedBy}
      onPointerDown={(event) => {
        began.current = event.timeStamp;
      }}
      onKeyDown={(event) => {
        // A key that is kept down since before must not press what has come under it.
        if (event.repeat) event.preventDefault();
        else began.current = event.timeStamp;
      }}
      onClick={(event) => {
        const at = began.current ?? event.timeStamp;
        began.current = null;
        if (!disabled) onPress(at);
      }}
    >
      <span>{label}</span>
    </button>
  );
}
