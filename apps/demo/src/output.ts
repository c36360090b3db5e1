/** How the demo prints: short lines with a speaker, a table, colours on a terminal only. */
import { styleText } from "node:util";
import { visible } from "@guard/device";

export interface Line {
  readonly text: string;
  readonly tone?: "title" | "agent" | "system" | "warning" | "danger" | "dim" | "good";
}

type Style = Parameters<typeof styleText>[0];

const styles: { readonly [tone in NonNullable<Line["tone"]>]: Style } = {
  title: "bold",
  agent: "cyan",
  system: "reset",
  warning: "yellow",
  danger: "red",
  dim: "dim",
  good: "green",
};

export function print({ text, tone }: Line): void {
  const coloured = process.stdout.isTTY === true && process.env.NO_COLOR === undefined && tone !== undefined;
  process.stdout.write(`${coloured ? styleText(styles[tone], text, { validateStream: false }) : text}\n`);
}

/** A line that somebody speaks: what a model or a person wrote moves no cursor and hides nothing. */
export function said(who: string, text: string, tone?: Line["tone"]): Line {
  return { text: `  ${who.padEnd(7)}${visible(text)}`, ...(tone ? { tone } : {}) };
}

const short = (identity: string) => identity.split("@")[0] as string;

/** `alice and bob`, for identities. */
export const names = (identities: readonly string[]): string => identities.map(short).join(" and ");

const number = new Intl.NumberFormat("en-GB");

/** A call in a few words: `refund 1003: 900`. */
export function inWords(tool: string, args: { readonly [name: string]: string | number }): string {
  const { order, amount, to, customer } = args;
  if (tool === "sendEmail") return `e-mail to ${short(`${to}`)}`;
  return `${tool} ${order ?? customer ?? ""}${typeof amount === "number" ? `: ${number.format(amount)}` : ""}`;
}

/** Columns as wide as their widest cell; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): readonly Line[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row, i) => ({
    text: `  ${row.map((cell, c) => cell.padEnd(widths[c] as number)).join("  ")}`.trimEnd(),
    ...(i === 0 ? { tone: "dim" as const } : {}),
  }));
}
