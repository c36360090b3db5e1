/**
 * Statements that are built once by Kysely and executed many times, synchronously. While a statement is
 * built, each argument is a slot; at execution the slots are filled by name. No value ever becomes SQL text.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Compilable } from "kysely";

class Slot {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** What a statement takes. */
export type Arguments = { readonly [name: string]: SQLInputValue };

export interface Query<A, Row> {
  readonly sql: string;
  readonly bind: (args: A) => SQLInputValue[];
  /** Never set: carries the type of the rows. */
  readonly row?: Row;
}

export function query<A extends object, Row = never>(build: (args: A) => Compilable<Row>): Query<A, Row> {
  const slots = new Proxy({} as A, {
    get: (_, name) => new Slot(String(name)),
  });
  const { sql, parameters } = build(slots).compile();
  const bind = (args: A) =>
    parameters.map((parameter) =>
      parameter instanceof Slot
        ? ((args as Arguments)[parameter.name] as SQLInputValue)
        : (parameter as SQLInputValue),
    );
  return { sql, bind };
}

/** Executes queries on one connection; each text is prepared once. */
export interface Executor {
  all<A, Row>(query: Query<A, Row>, args: A): Row[];
  first<A, Row>(query: Query<A, Row>, args: A): Row | undefined;
  /** Returns the number of rows changed. */
  run<A, Row>(query: Query<A, Row>, args: A): number;
  /** Returns the number that the new row got. */
  insert<A, Row>(query: Query<A, Row>, args: A): number;
}

export function executor(db: DatabaseSync): Executor {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string) => {
    let statement = prepared.get(sql);
    if (!statement) {
      statement = db.prepare(sql);
      prepared.set(sql, statement);
    }
    return statement;
  };
  return {
    all: (query, args) => prepare(query.sql).all(...query.bind(args)) as never,
    first: (query, args) => prepare(query.sql).get(...query.bind(args)) as never,
    run: (query, args) => Number(prepare(query.sql).run(...query.bind(args)).changes),
    insert: (query, args) => Number(prepare(query.sql).run(...query.bind(args)).lastInsertRowid),
  };
}
