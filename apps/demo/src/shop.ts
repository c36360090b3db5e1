/**
 * The shop: a real SQLite database. What a tool does here has happened; the rows say afterwards what ran.
 *
 * Guarantees: one call of the model writes once, whatever is repeated.
 */
import { DatabaseSync } from "node:sqlite";

/** Something that a tool did to the world. */
export interface Effect {
  readonly tool: string;
  readonly args: { readonly [name: string]: string | number };
  /** The model's id of the call. */
  readonly callId: string;
}

export interface Order {
  readonly id: number;
  readonly customer: string;
  readonly item: string;
  readonly total: number;
}

const tables = `
  CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
  CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers, item TEXT NOT NULL, total REAL NOT NULL
  );
  CREATE TABLE refunds (
    seq INTEGER PRIMARY KEY, tool TEXT NOT NULL, order_id INTEGER NOT NULL REFERENCES orders, amount REAL NOT NULL,
    account TEXT, call TEXT NOT NULL UNIQUE
  );
  CREATE TABLE emails (
    seq INTEGER PRIMARY KEY, recipient TEXT NOT NULL, body TEXT NOT NULL, call TEXT NOT NULL UNIQUE
  );
  INSERT INTO customers VALUES (1, 'Cleo'), (2, 'Dan'), (3, 'Ed'), (4, 'Fay'), (5, 'Desks & Co');
  INSERT INTO orders VALUES
    (1001, 1, 'mug', 18), (1002, 2, 'espresso machine', 480), (1003, 3, 'sofa', 900), (1006, 5, '40 desks', 12000),
    (1007, 1, 'lamp', 640), (1008, 2, 'carpet', 2400);
`;

export interface Shop {
  lookupOrder(order: number): Order | null;
  refund(args: { order: number; amount: number }, callId: string): void;
  payOut(args: { order: number; amount: number; account: string }, callId: string): void;
  sendEmail(args: { to: string; text: string }, callId: string): void;
  deleteCustomer(customer: number): void;
  close(): void;
}

/** Makes the shop's database, with what is in it before anything has happened. */
export function foundShop(file: string): void {
  const db = new DatabaseSync(file);
  db.exec(tables);
  db.close();
}

export function openShop(file: string): Shop {
  const db = new DatabaseSync(file);
  const order = db.prepare(
    "SELECT o.id, c.name AS customer, o.item, o.total FROM orders o JOIN customers c ON c.id = o.customer WHERE o.id = ?",
  );
  const refund = db.prepare(
    "INSERT INTO refunds (tool, order_id, amount, account, call) VALUES (?, ?, ?, ?, ?)",
  );
  const email = db.prepare("INSERT INTO emails (recipient, body, call) VALUES (?, ?, ?)");
  const remove = db.prepare("DELETE FROM customers WHERE id = ?");
  return {
    lookupOrder(id) {
      const row = order.get(id);
      return row === undefined ? null : ({ ...row } as unknown as Order);
    },
    refund: (args, callId) => void refund.run("refund", args.order, args.amount, null, callId),
    payOut: (args, callId) => void refund.run("payOut", args.order, args.amount, args.account, callId),
    sendEmail: (args, callId) => void email.run(args.to, args.text, callId),
    deleteCustomer: (customer) => void remove.run(customer),
    close: () => db.close(),
  };
}

/** What the database says has happened, refunds first, each kind in order; `customers` are those still there. */
export function readShop(file: string): { effects: readonly Effect[]; customers: number } {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const refunds = db
      .prepare("SELECT tool, order_id, amount, account, call FROM refunds ORDER BY seq")
      .all()
      .map((row): Effect => {
        const account = row.account === null ? {} : { account: row.account as string };
        const args = { order: row.order_id as number, amount: row.amount as number, ...account };
        return { tool: row.tool as string, args, callId: row.call as string };
      });
    const emails = db
      .prepare("SELECT recipient, body, call FROM emails ORDER BY seq")
      .all()
      .map(
        (row): Effect => ({
          tool: "sendEmail",
          args: { to: row.recipient as string, text: row.body as string },
          callId: row.call as string,
        }),
      );
    const count = db.prepare("SELECT count(*) AS n FROM customers").get();
    return { effects: [...refunds, ...emails], customers: count?.n as number };
  } finally {
    db.close();
  }
}
