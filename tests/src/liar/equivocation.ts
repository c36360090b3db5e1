/**
 * Proves from two evidence files that a relay gave one approval to two processes (consume-equivocation): two
 * receipts for one request, both signed by the relay, for different attempts. An honest relay signs one.
 */
import { type Receipt, type Roster, readLine, readReceipt, type Signed, verifySigned } from "@guard/core";

function receiptOf(lines: readonly string[], request: string): Signed | null {
  for (const line of lines) {
    const { event_type, payload } = readLine(line);
    const allowed = payload as { request: string | null; receipt: Signed | null };
    if (event_type === "TOOL_CALL_ALLOWED" && allowed.request === request) return allowed.receipt;
  }
  return null;
}

/** The two receipts, or null where there are none that contradict each other. */
export async function proofOfEquivocation(
  first: readonly string[],
  second: readonly string[],
  options: { readonly request: string; readonly roster: Roster },
): Promise<readonly [Receipt, Receipt] | null> {
  const { request, roster } = options;
  const signed = [receiptOf(first, request), receiptOf(second, request)];
  const receipts: Receipt[] = [];
  for (const each of signed) {
    if (each === null) return null;
    const receipt = readReceipt(each);
    const relay = roster.at(receipt.roster.seq).relay(receipt.relay);
    if (receipt.request !== request || !relay || !(await verifySigned(relay.key, each))) return null;
    receipts.push(receipt);
  }
  const [one, other] = receipts as [Receipt, Receipt];
  return one.relay === other.relay && one.attempt !== other.attempt ? [one, other] : null;
}
