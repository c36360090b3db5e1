/**
 * A scripted approver: answers what the test expects, on real devices with real keys, through the real relay.
 *
 * Guarantees: a request that nobody expected is rejected, and `done()` throws for it; an expectation that was
 * never used makes `done()` throw as well. A test that passes has seen exactly what it wrote down.
 */
import { canonicalJson, type Json } from "@guard/core";
import type { Device, OpenedRequest } from "@guard/device";

/** Who answers; default: as many of the approvers as the quorum needs, in order. */
export interface AnswerOptions {
  readonly by?: string | readonly string[];
}

/** What a request that fits is answered with. Choose one. */
export interface Expectation {
  approve(options?: AnswerOptions & { reason?: string }): void;
  reject(reason?: string, options?: AnswerOptions): void;
  /** Approves other arguments. */
  edit(args: Json, options?: AnswerOptions & { reason?: string }): void;
  /** Never answers: the caller's wait times out, or the request expires. */
  ignore(): Pick<Held, "arrived">;
  /** Leaves the answer to the test. */
  hold(): Held;
}

/** A request that the test answers itself, when it wants to. */
export interface Held {
  /** Resolves once the request is there. */
  readonly arrived: Promise<OpenedRequest>;
  approve(options?: AnswerOptions & { reason?: string }): Promise<void>;
  reject(reason?: string, options?: AnswerOptions): Promise<void>;
  edit(args: Json, options?: AnswerOptions & { reason?: string }): Promise<void>;
}

export interface Approver {
  /** The next request for `tool` (with exactly these arguments, where they are given). */
  expect(tool: string, args?: Json): Expectation;
  /** @throws Error that lists what came unexpected and what never came. */
  done(): void;
}

interface Answer {
  readonly decision: "approve" | "reject";
  readonly reason?: string | null;
  readonly args?: Json;
  readonly by?: string | readonly string[];
}

interface Step {
  readonly tool: string;
  readonly args: Json | undefined;
  answer: Answer | "ignore" | "hold" | null;
  used: boolean;
  readonly arrived: PromiseWithResolvers<OpenedRequest>;
}

export interface Devices {
  /** The device of an identity. @throws Error where it has none. */
  of(identity: string): Device;
}

/** The script, and what feeds it: `see` is called with every pending request, once. */
export function scriptedApprover(devices: Devices): Approver & { see(opened: OpenedRequest): Promise<void> } {
  const steps: Step[] = [];
  const problems: string[] = [];

  function named(step: Step): string {
    return `${step.tool}${step.args === undefined ? "" : ` ${canonicalJson(step.args)}`}`;
  }

  async function give(opened: OpenedRequest, answer: Answer): Promise<void> {
    const { terms } = opened;
    const people = terms.approvers.filter((identity) => identity !== terms.requester);
    const enough =
      answer.decision === "reject" ? terms.rejections : answer.args === undefined ? terms.quorum : 1;
    const by = answer.by === undefined ? people.slice(0, enough) : [answer.by].flat();
    const { by: _by, ...decision } = answer;
    for (const identity of by) {
      const device = devices.of(identity);
      const own = await device.open(await device.get(opened.request));
      if (own.closed === null) await device.decide(own, decision);
    }
  }

  function held(step: Step): Held {
    const later = async (answer: Answer) => give(await step.arrived.promise, answer);
    return {
      arrived: step.arrived.promise,
      approve: (options = {}) => later({ decision: "approve", ...options }),
      reject: (reason, options = {}) => later({ decision: "reject", reason: reason ?? null, ...options }),
      edit: (args, options = {}) => later({ decision: "approve", args, ...options }),
    };
  }

  return {
    expect(tool, args) {
      const step: Step = { tool, args, answer: null, used: false, arrived: Promise.withResolvers() };
      steps.push(step);
      const choose = (answer: Step["answer"]) => {
        if (step.answer !== null)
          throw new Error(`expect(${named(step)}) was given two answers. Choose one.`);
        step.answer = answer;
      };
      return {
        approve: (options = {}) => choose({ decision: "approve", ...options }),
        reject: (reason, options = {}) => choose({ decision: "reject", reason: reason ?? null, ...options }),
        edit: (edited, options = {}) => choose({ decision: "approve", args: edited, ...options }),
        ignore() {
          choose("ignore");
          return { arrived: step.arrived.promise };
        },
        hold() {
          choose("hold");
          return held(step);
        },
      };
    },

    done() {
      const unused = steps.filter((step) => !step.used).map((step) => `never asked: ${named(step)}`);
      const all = [...problems, ...unused];
      if (all.length > 0) throw new Error(`The scripted approver is not satisfied:\n- ${all.join("\n- ")}`);
    },

    async see(opened) {
      const step = steps.find(
        ({ used, tool, args }) =>
          !used &&
          tool === opened.tool &&
          (args === undefined || canonicalJson(args) === canonicalJson(opened.args)),
      );
      if (!step) {
        problems.push(`nobody expected: ${opened.tool} ${canonicalJson(opened.args)}`);
        await give(opened, { decision: "reject", reason: "The test did not expect this request." });
        return;
      }
      step.used = true;
      step.arrived.resolve(opened);
      if (step.answer === null) {
        problems.push(
          `expect(${named(step)}) was given no answer: say approve, reject, edit, ignore or hold`,
        );
        await give(opened, { decision: "reject", reason: "The test gave no answer." });
      } else if (typeof step.answer === "object") {
        await give(opened, step.answer);
      }
    },
  };
}
