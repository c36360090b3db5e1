/**
 * One request, in full, and the answer to it.
 *
 * Guarantees: everything that somebody else wrote is drawn as text; what is answered is the request that is on
 * screen, not one that has come since; a request that ends while it is shown stays on screen with its end told.
 */
import "./detail.css";
import type { RequestView } from "@guard/core";
import { type Decision, type Item, needsCare, suspicious, textsOf, uninspectable } from "@guard/device";
import { exclusively } from "@guard/device/browser";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Remarks, RemarksContext } from "./arguments-tree.tsx";
import { Bar } from "./bar.tsx";
import { type DecideEvent, type Deciding, nextDeciding, type Step, startDeciding } from "./decide.ts";
import { explain } from "./explain.ts";
import { foldedIn } from "./folding.ts";
import { partsOfRequest, pieceKey } from "./parts.ts";
import { RejectForm } from "./reject-form.tsx";
import { AgentSays, Headline, Terms, Why } from "./sections.tsx";
import { useEditing } from "./use-editing.ts";
import { type Covered, useInView, Watching } from "./use-in-view.ts";
import { What, type WhatTab } from "./what.tsx";

export interface DetailProps {
  readonly item: Item;
  /** The time, in milliseconds; moves on while a request is shown. */
  readonly now: number;
  onBack(): void;
  /** Told once an answer was taken, with the view that the relay gave for it. */
  onDecided(item: Item, view: RequestView): void;
}

/** One request before one identity. Another item starts anew: nothing that was seen or typed goes over to it. */
export function Detail(props: DetailProps) {
  const { opened, identity } = props.item;
  return <OneRequest key={`${opened.request} ${identity}`} {...props} />;
}

function OneRequest({ item, now, onBack, onDecided }: DetailProps) {
  const { opened, identity } = item;
  const [tab, setTab] = useState<WhatTab>("tree");
  const [reason, setReason] = useState("");
  const editing = useEditing(opened);
  const [covered, setCovered] = useState<Covered>({ top: 0, bottom: 0 });
  const article = useRef<HTMLElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const remarks = useRemarks(item);
  const inView = useInView(covered);
  const [state, dispatch] = useDeciding(send);
  useScrollToStep(state.step);

  useLayoutEffect(() => {
    if (!bar.current || !article.current) return;
    const [lower, whole] = [bar.current, article.current];
    const measure = new ResizeObserver(() => {
      const bottom = lower.offsetHeight;
      // The style sheet knows what stays on top of the page.
      const top = Number.parseFloat(getComputedStyle(whole).scrollMarginTop) || 0;
      setCovered((before) => (before.top === top && before.bottom === bottom ? before : { top, bottom }));
    });
    measure.observe(lower);
    return () => measure.disconnect();
  }, []);
  useEffect(() => document.getElementById("detail-title")?.focus({ preventScroll: true }), []);

  async function send(decision: Decision): Promise<void> {
    let view: RequestView;
    try {
      view = await exclusively(opened.request, () => item.device.decide(opened, decision));
    } catch (error) {
      dispatch({ kind: "refused", problem: explain(error) });
      return;
    }
    dispatch({ kind: "taken" });
    onDecided(item, view);
  }

  const ended = opened.closed ?? (now >= opened.expiresAt ? "Too late: the request has expired." : null);
  const keys = useMemo(
    () => partsOfRequest(opened, new Set(remarks.folded.keys())),
    [opened, remarks.folded],
  );
  const waived = new Set(
    [...remarks.folded.values()].filter((fold) => fold.waived).map(({ path }) => pieceKey(path, 0)),
  );
  const { step } = state;
  const edited = step.kind === "reviewing" ? { args: step.args } : {};
  const changes = useMemo(() => (step.kind === "reviewing" ? editing.changesTo(step.args) : null), [step]);
  const unseen = inView
    .unseen([...(changes?.lines.map(({ part }) => part) ?? []), ...keys])
    .filter((key) => !waived.has(key));
  const decide = (decision: Decision, at: number) =>
    dispatch({ kind: "decide", decision, at, unseen: unseen.length, ended: ended !== null });
  const go = (to: Step, at: number) => dispatch({ kind: "go", to, at, ended: ended !== null });
  const start = (kind: "reading" | "rejecting" | "editing", at: number) => go({ kind }, at);
  const review = (at: number) => {
    const args = editing.check();
    if (args !== null) go({ kind: "reviewing", args }, at);
  };

  // Drawn once: what is seen, and the time, change often, and arguments may be long.
  const what = useMemo(
    () => <What args={opened.args} warnings={remarks.count} tab={tab} onTab={setTab} />,
    [opened.args, remarks, tab],
  );
  const others = useMemo(
    () => (
      <>
        <AgentSays opened={opened} />
        <Why opened={opened} />
        <Terms opened={opened} identity={identity} />
      </>
    ),
    [opened, identity],
  );

  return (
    <article ref={article} class="detail" aria-labelledby="detail-title">
      <button type="button" class="back" onClick={onBack}>
        ‹ Back
      </button>
      <RemarksContext.Provider value={remarks}>
        <Watching.Provider value={inView.watcher}>
          <Headline opened={opened} identity={identity} now={now} />
          {what}
          {others}
          {changes && <changes.Changes lines={changes.lines} />}
        </Watching.Provider>
      </RemarksContext.Provider>
      {step.kind === "editing" && (
        <section class="edit-form" data-step aria-labelledby="detail-edit">
          <h2 id="detail-edit">Other arguments</h2>
          {editing.shown ? (
            <editing.shown.EditForm opened={opened} form={editing.shown.form} onChange={editing.change} />
          ) : (
            <p role="status">{editing.problems.length === 0 && "Loading the form …"}</p>
          )}
          <div role="alert">
            {editing.problems.map((problem) => (
              <p key={problem} class="warning">
                {problem}
              </p>
            ))}
          </div>
        </section>
      )}
      {step.kind === "rejecting" && !state.taken && <RejectForm reason={reason} onReason={setReason} />}
      <Bar
        barRef={bar}
        state={state}
        ended={ended}
        unseen={unseen.length}
        editable={opened.terms.editable}
        care={needsCare(opened) || remarks.folded.size > 0}
        onShowNext={() => {
          setTab("tree");
          requestAnimationFrame(() => inView.showNext(unseen));
        }}
        onApprove={(at) => decide({ decision: "approve", ...edited }, at)}
        onReject={(at) => decide({ decision: "reject", reason: reason.trim() || null }, at)}
        onGo={start}
        onReview={review}
        onAgain={(at) => dispatch({ kind: "again", at, ended: ended !== null })}
      />
    </article>
  );
}

/** Brings what a step asks for into view; coming back, the request is where it was. */
function useScrollToStep(step: Step) {
  useEffect(() => {
    if (step.kind === "reading") return;
    document.querySelector(".detail [data-step]")?.scrollIntoView({ block: "start" });
  }, [step]);
}

/** The machine of decide.ts, at work: every press is judged by the state that the one before it left. */
function useDeciding(send: (decision: Decision) => Promise<void>) {
  const [state, setState] = useState<Deciding>(() => startDeciding(performance.now()));
  const current = useRef(state);
  const dispatch = (event: DecideEvent) => {
    const before = current.current;
    current.current = nextDeciding(before, event);
    setState(current.current);
    const { sending } = current.current;
    if (sending && sending !== before.sending) void send(sending);
  };
  useEffect(() => {
    // What lay behind another window comes up only now.
    const appeared = () => {
      if (document.visibilityState === "visible") dispatch({ kind: "appeared", at: performance.now() });
    };
    document.addEventListener("visibilitychange", appeared);
    return () => document.removeEventListener("visibilitychange", appeared);
  }, []);
  return [state, dispatch] as const;
}

/** What is to be said about the texts of a request, and which of its values are folded. */
function useRemarks({ opened }: Item): Remarks & { readonly count: number } {
  const { args, facts } = opened;
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const [waived, setWaived] = useState<ReadonlySet<string>>(new Set());
  const found = useMemo(() => {
    const suspects = [
      ...suspicious(args),
      ...suspicious(textsOf(opened)).map((one) => ({ ...one, path: one.path.replace(/^\$\./, "") })),
      ...suspicious(facts.metadata ?? {}).map((one) => ({
        ...one,
        path: one.path.replace(/^\$/, "metadata"),
      })),
    ];
    return {
      suspects: Map.groupBy(suspects, ({ path }) => path),
      folded: foldedIn(args, uninspectable(args)),
    };
  }, [opened]);
  const folded = useMemo(
    () =>
      new Map(
        found.folded
          .filter(({ path }) => !unfolded.has(path))
          .map((one) => [one.path, { ...one, waived: waived.has(one.path) }]),
      ),
    [found, unfolded, waived],
  );
  return useMemo(
    () => ({
      folded,
      suspicious: found.suspects,
      count: found.suspects.size + found.folded.length,
      unfold: (path) => setUnfolded((before) => new Set([...before, path])),
      waive: (path) =>
        setWaived(
          (before) => new Set([...before].filter((one) => one !== path).concat(before.has(path) ? [] : path)),
        ),
    }),
    [found, folded],
  );
}
