// The documentation's checker has to be able to fail.
import { expect, test } from "vitest";
import { check } from "../../tools/check-docs.ts";

const path = "packages/core/README.md";
const page = (...lines: string[]) => ({ path, text: lines.join("\n") });
const guard = 'import { createGuard } from "@guard/core";';

test("a block that is right passes, with what is given; one that is wrong is named by its line", () => {
  const given = '<!-- given: import { shop } from "given/shop.ts"; -->';
  const right = page("# A", "", given, "```ts", guard, 'await shop.refund("A", 1);', "createGuard();", "```");
  expect(check([right])).toEqual({ problems: [], blocks: 1, skipped: 0 });
  const wrong = page(
    "# A",
    "",
    "```ts",
    guard,
    "",
    "createGuard({ aprovers: [] });",
    "```",
    "",
    "```tsx",
    "shop;",
    "```",
  );
  const { problems } = check([right, wrong]);
  expect(problems.map((problem) => problem.split(" ").slice(0, 2))).toEqual([
    [`${path}:6:15`, "TS2561"],
    [`${path}:10:1`, "TS2304"],
  ]);
});

test("each block is a module of its own, and what is given and not used is named", () => {
  const twice = page("```ts", "const a = 1;", "```", "", "```ts", "const a = 2;", "```");
  expect(check([twice])).toEqual({ problems: [], blocks: 2, skipped: 0 });
  const apart = page("```ts", "const a = 1;", "```", "", "```ts", "console.log(a);", "```");
  expect(check([apart]).problems).toEqual([`${path}:6:13 TS2304 Cannot find name 'a'.`]);
  const idle = page(
    "<!-- given:",
    "declare const a: 1;",
    'import { guard } from "given/shop.ts";',
    "-->",
    "",
    "```ts",
    "a;",
    "```",
  );
  expect(check([idle]).problems).toEqual([
    `${path}:3:10 TS6133 'guard' is declared but its value is never read.`,
  ]);
});

test("nothing is left out by the way it is marked", () => {
  const why = "<!-- not compiled: it shows an error that the types prevent -->";
  expect(check([page(why, "```ts", "nonsense(", "```")])).toEqual({ problems: [], blocks: 0, skipped: 1 });
  for (const [line, blamed] of [
    ["<!-- not compiled: -->", "say why"],
    ["<!-- just a comment -->", "TS2304"],
    ["<!-- given: // @ts-nocheck -->", "@ts-nocheck"],
  ] as const) {
    expect(check([page(line, "```ts", "nonsense;", "```")]).problems.join()).toContain(blamed);
  }
  for (const fence of ["```", "```js", "```typescript", "~~~jsx"]) {
    expect(check([page("", fence, "nonsense;", fence.slice(0, 3))]).problems.join()).toContain(
      `${path}:2 is a block in`,
    );
  }
  expect(check([page("```ts", "1;")]).problems).toEqual([`${path}:1 is a block without an end.`]);
  expect(check([page("1. a list", "   ```ts", "   nonsense;", "   ```")]).problems.join()).toContain(
    `${path}:3:4`,
  );
});
