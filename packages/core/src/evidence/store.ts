/**
 * Where a chain keeps its lines. A store moves text; what the text means is the chain's business. The store
 * has one writer at a time and never reorders.
 */
import { ConfigurationError, UnavailableError } from "../errors.ts";
import type { Lines } from "./walk.ts";

export interface EvidenceStore {
  /** Where the lines are, for messages. */
  readonly place: string;
  /**
   * Takes the store for this chain alone and returns what it holds. `lines` is read to its end before the
   * first append. `checkpoint` is the text last given to `saveCheckpoint`, null or absent where there is none.
   * @throws ConfigurationError where another chain has it open.
   * @throws UnavailableError where it cannot be used.
   */
  open(): Promise<{ lines: Lines; checkpoint?: string | null }>;
  /** Takes a line (without a line break) in order; it need not be durable yet. */
  append(line: string): void;
  /** Resolves when every line appended so far is durable. @throws UnavailableError */
  flush(): Promise<void>;
  /** Keeps the newest signed checkpoint apart from the lines, replacing the one before at once. Called after a flush. */
  saveCheckpoint?(text: string): Promise<void>;
  /** Gives the store up. Lines that were not flushed are written first where that is still possible. */
  close(): Promise<void>;
}

/** A store that lasts as long as the process: for tests, and where evidence is not wanted. */
export interface MemoryEvidence extends EvidenceStore {
  readonly lines: readonly string[];
  /** The text of the newest checkpoint; null before the first. */
  readonly checkpoint: string | null;
}

export function memoryEvidence(): MemoryEvidence {
  const lines: string[] = [];
  let checkpoint: string | null = null;
  let open = false;
  const opened = () => {
    if (!open) throw new UnavailableError("The evidence store is closed. Open a chain over it first.");
  };
  return {
    place: "memory",
    lines,
    get checkpoint() {
      return checkpoint;
    },
    async open() {
      if (open) {
        throw new ConfigurationError(
          "Another chain writes to this memory store. Give each guard a store of its own.",
        );
      }
      open = true;
      return { lines: [...lines], checkpoint };
    },
    append(line) {
      opened();
      lines.push(line);
    },
    async flush() {
      opened();
    },
    async saveCheckpoint(text) {
      opened();
      checkpoint = text;
    },
    async close() {
      open = false;
    },
  };
}
