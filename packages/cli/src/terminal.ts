/**
 * Words with the person at the terminal. Everything that came from elsewhere goes through `visible` before it
 * is printed (terminal-escape), with or without a TTY.
 */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { ConfigurationError } from "@guard/core";

/** Prints one line. Text from elsewhere has to be made visible by the caller. */
export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a remark that is no result: to stderr, so that results can be piped. */
export function remark(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Resolves once all that was printed was taken, or whoever read it is gone (EPIPE): nobody is left to tell. */
export function taken(stream: NodeJS.WritableStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on("error", () => resolve());
  stream.write("", () => resolve());
  return promise;
}

export const interactive = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true;

/** @throws ConfigurationError without a terminal; `otherwise` says what to do then. */
export async function ask(question: string, otherwise: string): Promise<string> {
  return readAnswer(question, otherwise, process.stderr);
}

/** Like {@link ask}, but what is typed is not shown. */
export async function askSecret(question: string, otherwise: string): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await readAnswer("", otherwise, silent);
  } finally {
    if (process.stdin.isTTY) process.stderr.write("\n");
  }
}

/** Whether the answer was yes. No is the default. */
export async function confirm(question: string, otherwise: string): Promise<boolean> {
  return /^y(es)?$/i.test((await ask(`${question} [y/N] `, otherwise)).trim());
}

function readAnswer(question: string, otherwise: string, output: NodeJS.WritableStream): Promise<string> {
  if (!process.stdin.isTTY) throw new ConfigurationError(otherwise);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  lines.on("SIGINT", () => {
    reject(new ConfigurationError("Stopped."));
    lines.close();
  });
  lines.on("close", () => reject(new ConfigurationError("Stopped: no answer was given.")));
  lines.question(question, (answer) => {
    resolve(answer);
    lines.close();
  });
  return promise;
}

/** The owner's passphrase: GUARD_PASSPHRASE, or asked for. */
export async function passphrase(): Promise<string> {
  const fromEnvironment = process.env.GUARD_PASSPHRASE;
  if (fromEnvironment) return fromEnvironment;
  return askSecret(
    "Passphrase of the root key: ",
    "Without a terminal, set GUARD_PASSPHRASE to the root key's passphrase.",
  );
}

/** A new passphrase, typed twice. */
export async function newPassphrase(): Promise<string> {
  const fromEnvironment = process.env.GUARD_PASSPHRASE;
  if (fromEnvironment) return fromEnvironment;
  const otherwise = "Without a terminal, set GUARD_PASSPHRASE to a new passphrase for the root key.";
  const first = await askSecret("New passphrase for the root key (8 characters or more): ", otherwise);
  const second = await askSecret("Once more: ", otherwise);
  if (first !== second) throw new ConfigurationError("The two passphrases differ. Nothing was made.");
  return first;
}

/** The first line of what is piped in; empty where there is none. */
export async function readLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line;
  return "";
}
