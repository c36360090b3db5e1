/** Drives `client.py`: calls of Noxy's published Python client, in a process of its own. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { encodeDecision } from "@guard/compat/noxy";

const program = join(import.meta.dirname, "client.py");

export interface PythonOptions {
  readonly python: string;
  readonly endpoint: string;
  readonly token: string;
  readonly ttlSeconds?: number;
  /** A file of certificates to trust; without it, those that gRPC brings along. */
  readonly roots: string | null;
}

export interface Delivery {
  readonly status: "DELIVERED" | "QUEUED" | "NO_DEVICES" | "REJECTED" | "ERROR";
  readonly request_id: string;
  readonly decision_id: string;
}

interface Outcome {
  readonly request_id: string;
  readonly pending: boolean;
  readonly outcome: "PENDING" | "APPROVED" | "REJECTED" | "EXPIRED";
}

interface Quota {
  readonly request_id: string;
  readonly app_name: string;
  readonly quota_total: number;
  readonly quota_remaining: number;
  readonly status: string;
}

/** How its waiting is tuned, in its words. */
interface Waiting {
  readonly initial_poll_interval_ms?: number;
  readonly max_poll_interval_ms?: number;
  readonly max_wait_ms?: number;
  readonly backoff_multiplier?: number;
}

/** What the client raised. */
export class Raised extends Error {
  readonly type: string;
  /** gRPC's name of it, where it is an error of gRPC. */
  readonly code: string | null;
  readonly trailers: Readonly<Record<string, string>>;
  /** How long the call took. */
  readonly ms: number;

  constructor(error: Pick<Raised, "type" | "message" | "code" | "trailers">, ms: number) {
    super(error.message);
    this.type = error.type;
    this.code = error.code;
    this.trailers = error.trailers;
    this.ms = ms;
  }
}

interface Answer {
  readonly id: number;
  readonly ms: number;
  readonly result?: unknown;
  readonly error?: ConstructorParameters<typeof Raised>[0];
}

export function pythonClient({ python, endpoint, token, ttlSeconds = 600, roots }: PythonOptions) {
  const env = { PATH: process.env.PATH, ...(roots && { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: roots }) };
  const child = spawn(python, ["-B", program], { env });
  const asked = new Map<number, (answer: Answer | Error) => void>();
  let count = 0;
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const answer = JSON.parse(line) as Answer;
    asked.get(answer.id)?.(answer);
    asked.delete(answer.id);
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      for (const settle of asked.values()) settle(new Error(`The client ended with ${code}.\n${errors}`));
      resolve(code);
    });
  });
  const write = (line: unknown) => child.stdin.write(`${Buffer.from(encodeDecision(line))}\n`);
  write({ endpoint, auth_token: token, decision_ttl_seconds: ttlSeconds });

  function call<T>(name: string, given: object): Promise<T> {
    const id = ++count;
    const answered = new Promise<Answer | Error>((resolve) => asked.set(id, resolve));
    write({ id, call: name, with: given });
    return answered.then((answer) => {
      if (answer instanceof Error) throw answer;
      if (answer.error) throw new Raised(answer.error, answer.ms);
      return answer.result as T;
    });
  }

  return {
    send: (identity: string, actionable: unknown) => call<Delivery[]>("send", { identity, actionable }),
    outcome: (decision: string, identity: string) => call<Outcome>("outcome", { decision, identity }),
    wait: (decision: string, identity: string, options: Waiting = {}) =>
      call<Outcome>("wait", { decision_id: decision, identity_id: identity, ...options }),
    ask: (identity: string, actionable: unknown, options: Waiting = {}) =>
      call<Outcome>("ask", { identity, actionable, ...options }),
    quota: () => call<Quota>("quota", {}),
    /** Closes it as a program does that is done; how the process ended. */
    close(): Promise<number | null> {
      child.stdin.end();
      return ended;
    },
  };
}
export type PythonClient = ReturnType<typeof pythonClient>;

/** What a call raised. @throws Error where it raised nothing */
export async function raised(calling: Promise<unknown>): Promise<Raised> {
  const result = await calling.then(
    (value) => new Error(`Nothing was raised: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (result instanceof Raised) return result;
  throw result;
}
