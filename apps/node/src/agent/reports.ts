import { toWireStatus, type AttemptStatus } from '@clawbernetes/protocol';

/** Statuses in one report: small enough that each may say a lot. */
export const STATUSES_PER_REPORT = 200;
/**
 * Attempts in one inventory report, and so on one node: with every field at its longest they fill a frame.
 */
export const MAX_ATTEMPTS = 4000;
/** Bytes of one frame for statuses; the rest, 48 KiB, is for framing. */
const STATUSES_BYTES = 1_000_000;
/** Of a status without its texts, every field at its longest. */
const BARE_STATUS_BYTES = 210;
/** A longer message helps nobody. */
const MAX_MESSAGE_BYTES = 3000;

type WireStatus = ReturnType<typeof toWireStatus>;

/**
 * Statuses for one frame; texts are left out or cut only where it would grow too large. An inventory cannot
 * be split over several, since absence from it says that the node does not know an attempt. `reservedBytes`
 * of the frame are for something else.
 */
export function reportOf(statuses: readonly AttemptStatus[], reservedBytes = 0): WireStatus[] {
  const shareBytes = (STATUSES_BYTES - reservedBytes) / statuses.length;
  const budgetBytes = Math.max(0, shareBytes - BARE_STATUS_BYTES);
  return statuses.map((status) => {
    const message = cut(status.message ?? '', Math.min(MAX_MESSAGE_BYTES, budgetBytes));
    let leftBytes = budgetBytes - Buffer.byteLength(message);
    const limitations = status.limitations.filter((text) => {
      leftBytes -= Buffer.byteLength(text);
      return leftBytes >= 0;
    });
    return { ...toWireStatus(status), message, limitations };
  });
}

function cut(text: string, bytes: number): string {
  return Buffer.byteLength(text) <= bytes ? text : text.slice(0, Math.floor(bytes / 3));
}
