/**
 * The bar with the buttons. It stays where it is, and as high as it is, whatever happens to the request: when
 * the request ends under a finger, the buttons go and nothing takes their place (expiry under the finger).
 */
import type { Ref } from "preact";
import type { Deciding } from "./decide.ts";
import { HoldButton } from "./hold-button.tsx";
import { PressButton } from "./press-button.tsx";

export interface BarProps {
  barRef: Ref<HTMLDivElement>;
  state: Deciding;
  /** Why nothing can be answered any more; null where it can. */
  ended: string | null;
  unseen: number;
  editable: boolean;
  /** Whether approving takes a held press. */
  care: boolean;
  onShowNext(): void;
  onApprove(at: number): void;
  onReject(at: number): void;
  onGo(to: "reading" | "rejecting" | "editing", at: number): void;
  onReview(at: number): void;
  onAgain(at: number): void;
}

const noteId = "detail-note";

export function Bar(props: BarProps) {
  const { state, ended, unseen, barRef } = props;
  const over = ended !== null || state.problem?.kind === "final" || state.taken;
  const toShow = unseen > 0 && state.step.kind !== "rejecting";
  return (
    <div class="bar" ref={barRef}>
      <div id={noteId} class={state.problem && !state.taken ? "note problem" : "note"} role="status">
        {note(props)}
        {!over && toShow && !state.sending && !state.problem && (
          <button type="button" class="next" onClick={props.onShowNext}>
            Show what you have not seen yet ({unseen})
          </button>
        )}
      </div>
      <div class={over ? "buttons over" : "buttons"} inert={over}>
        <Buttons {...props} />
      </div>
    </div>
  );
}

function note({ state, ended, unseen, care }: BarProps): string | null {
  if (state.taken) return "Your answer was taken.";
  if (state.sending) return "Sending your answer …";
  if (ended !== null && state.problem?.kind !== "final") return ended;
  if (state.problem) return state.problem.text;
  if (state.step.kind === "rejecting") {
    return unseen > 0 ? "You may reject without having seen all of it." : "All of it was on screen.";
  }
  if (unseen > 0) return null;
  return care ? "All of it was on screen. Approving takes a held press." : "All of it was on screen.";
}

function Buttons(props: BarProps) {
  const { state, unseen, editable, care, ended } = props;
  const { step, sending, problem } = state;
  const idle = sending === null && ended === null && !state.taken;
  const common = { disabled: !idle, describedBy: noteId };
  if (problem?.kind === "unknown") {
    const what = state.sent?.decision === "reject" ? "rejection" : "approval";
    return <PressButton {...common} kind="plain" label={`Send the ${what} again`} onPress={props.onAgain} />;
  }
  const back = (label: string, to: "reading" | "editing") => (
    <PressButton {...common} kind="plain" label={label} onPress={(at) => props.onGo(to, at)} />
  );
  const approve = (label: string) => {
    const disabled = !idle || unseen > 0;
    return care ? (
      <HoldButton {...common} disabled={disabled} label={label} onHeld={props.onApprove} />
    ) : (
      <PressButton {...common} disabled={disabled} kind="approve" label={label} onPress={props.onApprove} />
    );
  };
  switch (step.kind) {
    case "reading":
      return (
        <>
          <PressButton
            {...common}
            kind="reject"
            label="Reject…"
            onPress={(at) => props.onGo("rejecting", at)}
          />
          {editable && (
            <PressButton {...common} kind="plain" label="Edit…" onPress={(at) => props.onGo("editing", at)} />
          )}
          {approve("Approve")}
        </>
      );
    case "rejecting":
      return (
        <>
          {back("Back", "reading")}
          <PressButton {...common} kind="reject" label="Reject" onPress={props.onReject} />
        </>
      );
    case "editing":
      return (
        <>
          {back("Back", "reading")}
          <PressButton {...common} kind="plain" label="Show what changes" onPress={props.onReview} />
        </>
      );
    case "reviewing":
      return (
        <>
          {back("Back", "editing")}
          {approve("Approve this")}
        </>
      );
  }
}
