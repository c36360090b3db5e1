/**
 * Decisions on their way to one device, one at a time and in order, as fast as the device reads. What waited for it
 * while it was away is given to it however much that is; of what comes meanwhile only so many bytes wait in memory,
 * because all of it is in the database and is there again when the device comes back (quota-exhaustion).
 */
import type { Delivery } from "../../domain/deliveries.ts";
import { Refusal } from "../../domain/refusal.ts";

export interface Outbox {
  /** Sends what was left from before, then what is pushed. */
  start(queued: Iterable<Delivery>): void;
  push(delivery: Delivery): void;
  close(): void;
}

interface OutboxOptions {
  /** Resolves when the device's side has taken it. */
  readonly send: (delivery: Delivery) => Promise<void>;
  /** Bytes of pushed decisions that may wait. */
  readonly most: number;
  /** Nothing more is sent: the device is too far behind, or the queue cannot be read. */
  readonly failed: (error: unknown) => void;
}

export function newOutbox({ send, most, failed }: OutboxOptions): Outbox {
  let waiting: Delivery[] = [];
  let bytes = 0;
  let running = true;
  let closed = false;

  const close = () => {
    closed = true;
    waiting = [];
  };
  const fail = (error: unknown) => {
    close();
    failed(error);
  };

  async function run(queued: Iterable<Delivery>): Promise<void> {
    running = true;
    for (const delivery of queued) {
      await send(delivery);
      // Before the next one is read.
      if (closed) return;
    }
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      bytes -= next.ciphertext.length;
      await send(next);
    }
    running = false;
  }

  return {
    start(queued) {
      run(queued).catch(fail);
    },
    push(delivery) {
      if (closed) return;
      if (waiting.length > 0 && bytes + delivery.ciphertext.length > most) {
        fail(new Refusal("rate_limited", "This device does not read what it is sent. Come back."));
        return;
      }
      waiting.push(delivery);
      bytes += delivery.ciphertext.length;
      if (!running) run([]).catch(fail);
    },
    close,
  };
}
