/**
 * A button that has to be held: for what must not happen by a slip. Pointer and keyboard alike; letting go,
 * moving off, losing the focus or the button's being disabled meanwhile cancels (stale-decision).
 */
import { useEffect, useRef, useState } from "preact/hooks";

/** How long, in milliseconds. The style sheet fills the button in the same time. */
const holdTime = 1200;

export function HoldButton(props: {
  label: string;
  /** Told when it was held long enough; `at` is when the press began. */
  onHeld: (at: number) => void;
  disabled: boolean;
  describedBy: string;
}) {
  const { label, onHeld, disabled, describedBy } = props;
  const [held, setHeld] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const latest = useRef(onHeld);
  latest.current = onHeld;

  const cancel = () => {
    clearTimeout(timer.current);
    timer.current = undefined;
    setHeld(false);
  };
  const start = (at: number) => {
    if (disabled || timer.current !== undefined) return;
    setHeld(true);
    timer.current = setTimeout(() => {
      timer.current = undefined;
      setHeld(false);
      latest.current(at);
    }, holdTime);
  };
  useEffect(() => {
    if (disabled) cancel();
  }, [disabled]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const isPress = (event: KeyboardEvent) => event.key === "Enter" || event.key === " ";
  return (
    <button
      type="button"
      class={held ? "approve hold held" : "approve hold"}
      aria-disabled={disabled}
      aria-describedby={describedBy}
      onPointerDown={(event) => {
        if (event.isPrimary && event.button === 0) start(event.timeStamp);
      }}
      onPointerUp={cancel}
      onPointerCancel={cancel}
      onPointerLeave={cancel}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (!isPress(event)) {
          cancel();
          return;
        }
        event.preventDefault();
        if (!event.repeat) start(event.timeStamp);
      }}
      onKeyUp={cancel}
      onBlur={cancel}
    >
      <span>{held ? "Keep holding" : `${label}: hold`}</span>
    </button>
  );
}
