/**
 * The database's shape, as a list of steps that only grows. Each step runs once, in its own transaction, and
 * is written down in the table `migration`.
 */
import type { DatabaseSync } from "node:sqlite";
import { ConfigurationError } from "@guard/core";

const steps: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE app (
    app TEXT PRIMARY KEY, head_seq INTEGER NOT NULL, head_hash TEXT NOT NULL, created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE entry (
    app TEXT NOT NULL REFERENCES app, seq INTEGER NOT NULL, body TEXT NOT NULL, signature TEXT NOT NULL,
    PRIMARY KEY (app, seq)
  ) STRICT;
  CREATE TABLE token (
    hash TEXT PRIMARY KEY, app TEXT NOT NULL REFERENCES app,
    kind TEXT NOT NULL CHECK (kind IN ('owner', 'agent', 'device', 'invitation')),
    subject TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX token_subject ON token (app, kind, subject);
  CREATE INDEX token_expires ON token (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE invite (
    token_hash TEXT PRIMARY KEY, app TEXT NOT NULL REFERENCES app, invite TEXT NOT NULL,
    expires_at INTEGER NOT NULL, enrolment TEXT
  ) STRICT;
  CREATE INDEX invite_app ON invite (app, expires_at);
  -- Numbered in the order of arrival, and what belongs to a request is found by its number: keys that are
  -- digests would scatter each insert over as many pages as there are tables.
  CREATE TABLE request (
    number INTEGER PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app, request TEXT NOT NULL, agent TEXT NOT NULL, key_id TEXT NOT NULL,
    round INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired', 'cancelled',
      'superseded', 'executing', 'completed', 'unknown')),
    version INTEGER NOT NULL, header TEXT NOT NULL, header_signature TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, use_by INTEGER NOT NULL, due_at INTEGER,
    attempt TEXT, receipt TEXT, report TEXT,
    UNIQUE (app, request), UNIQUE (app, agent, key_id, round)
  ) STRICT;
  CREATE UNIQUE INDEX request_one_open ON request (app, agent, key_id)
    WHERE state IN ('pending', 'approved', 'executing');
  CREATE INDEX request_agent ON request (app, agent, state);
  CREATE INDEX request_due ON request (due_at) WHERE due_at IS NOT NULL;
  CREATE TABLE envelope (
    number INTEGER PRIMARY KEY REFERENCES request, ciphertext TEXT NOT NULL, wraps TEXT NOT NULL
  ) STRICT;
  CREATE TABLE inbox (
    app TEXT NOT NULL, device TEXT NOT NULL, number INTEGER NOT NULL REFERENCES request,
    PRIMARY KEY (app, device, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE statement (
    number INTEGER NOT NULL REFERENCES request, n INTEGER NOT NULL, id TEXT NOT NULL, device TEXT NOT NULL,
    statement TEXT NOT NULL, reply TEXT, late INTEGER NOT NULL CHECK (late IN (0, 1)),
    received_at INTEGER NOT NULL,
    PRIMARY KEY (number, n), UNIQUE (number, id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE foreign_app (
    app TEXT PRIMARY KEY REFERENCES app, body TEXT NOT NULL, signature TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE foreign_device (
    number INTEGER PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app, device TEXT NOT NULL, keys TEXT NOT NULL, identity TEXT NOT NULL,
    public_key BLOB NOT NULL, kem_key BLOB NOT NULL, type TEXT NOT NULL, proof TEXT,
    kept INTEGER NOT NULL CHECK (kept IN (0, 1)), revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
    registered_at INTEGER NOT NULL,
    UNIQUE (app, device), UNIQUE (app, keys)
  ) STRICT;
  CREATE INDEX foreign_device_identity ON foreign_device (app, identity, kept, proof);
  CREATE INDEX foreign_device_sort ON foreign_device (app, kept, proof);
  CREATE TABLE decision (
    number INTEGER PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app, identity TEXT NOT NULL, decision TEXT NOT NULL, agent TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired')),
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, answered_by TEXT, closed_at INTEGER,
    UNIQUE (app, identity, decision)
  ) STRICT;
  CREATE INDEX decision_agent ON decision (app, agent) WHERE state = 'pending';
  CREATE INDEX decision_due ON decision (expires_at) WHERE state = 'pending';
  -- Its bytes are null once the device acknowledged it or the decision is closed.
  CREATE TABLE delivery (
    n INTEGER PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES decision, app TEXT NOT NULL, device TEXT NOT NULL,
    kem_ciphertext BLOB, nonce BLOB, ciphertext BLOB,
    UNIQUE (number, device)
  ) STRICT;
  -- With all that counting a queue needs, so that it reads no bytes.
  CREATE INDEX delivery_queue ON delivery (app, device, number, nonce) WHERE nonce IS NOT NULL;
  CREATE TABLE decision_usage (
    app TEXT NOT NULL REFERENCES app, month TEXT NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (app, month)
  ) STRICT, WITHOUT ROWID;
  `,
];

/** Brings the database to this version's shape. @throws ConfigurationError where a newer one wrote it. */
export function migrate(db: DatabaseSync): void {
  db.exec("CREATE TABLE IF NOT EXISTS migration (step INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT");
  const done = Number(db.prepare("SELECT count(*) AS n FROM migration").get()?.n ?? 0);
  if (done > steps.length) {
    throw new ConfigurationError(
      `The relay's database was written by a newer version (step ${done}, this one knows ${steps.length}). Update the relay.`,
    );
  }
  for (const [step, text] of steps.entries()) {
    if (step < done) continue;
    db.exec("BEGIN IMMEDIATE");
    try {
      db.exec(text);
      db.prepare("INSERT INTO migration VALUES (?, ?)").run(step, Date.now());
      db.exec("COMMIT");
    } catch (error) {
      db.exec("ROLLBACK");
      throw error;
    }
  }
}
