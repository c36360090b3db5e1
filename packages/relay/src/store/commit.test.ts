import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { committer } from "./commit.ts";

function open() {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT");
  const add = (id: number) => void db.prepare("INSERT INTO t VALUES (?)").run(id);
  const ids = () =>
    db
      .prepare("SELECT id FROM t ORDER BY id")
      .all()
      .map((row) => row.id);
  return { db, add, ids, commits: committer(db) };
}

test("a unit that throws takes nothing of its group with it, and rejects with its own error", async () => {
  const { add, ids, commits } = open();
  const settled = await Promise.allSettled([
    commits.write(() => add(1)),
    commits.write(() => {
      add(2);
      throw new Error("no");
    }),
    commits.write(() => ids()),
  ]);
  expect(settled.map((one) => one.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(settled[2]).toMatchObject({ value: [1] });
  expect(ids()).toEqual([1]);
});

test("acknowledged means committed: results and callbacks come after COMMIT, callbacks first", async () => {
  const { db, add, commits } = open();
  const order: string[] = [];
  const writing = commits.write((after) => {
    add(1);
    after(() => order.push(`after, in transaction: ${db.isTransaction}`));
    order.push("unit");
  });
  await writing.then(() => order.push("reply"));
  expect(order).toEqual(["unit", "after, in transaction: false", "reply"]);
});

test("a group that cannot commit acknowledges nobody, and the next one works", async () => {
  const { db, add, ids, commits } = open();
  const called: string[] = [];
  const failing = [
    commits.write((after) => {
      add(1);
      after(() => called.push("after"));
    }),
    commits.write(() => db.exec("ROLLBACK")),
    commits.write(() => add(3)),
  ];
  for (const one of await Promise.allSettled(failing)) expect(one.status).toBe("rejected");
  expect(called).toEqual([]);
  expect(ids()).toEqual([]);
  await commits.write(() => add(4));
  await commits.idle();
  expect(ids()).toEqual([4]);
});

test("a unit of its own runs at once, and before what is queued", async () => {
  const { add, ids, commits } = open();
  const queued = commits.write(() => ids());
  expect(commits.now(() => add(1))).toBeUndefined();
  expect(ids()).toEqual([1]);
  expect(await queued).toEqual([1]);
  expect(() =>
    commits.now(() => {
      add(2);
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(ids()).toEqual([1]);
});
