import { toWireStatus, type AttemptStatus } from '@clawbernetes/protocol';

/** Statuses per report: with the longest texts they stay well below the frame limit. */
export const STATUSES_PER_REPORT = 200;
const MAX_MESSAGE_CHARACTERS = 1000;
const MAX_LIMITATIONS = 16;
/** Above this many attempts an inventory report gives up texts, so that it still fits into one frame. */
const DETAILED_REPORT_ATTEMPTS = 400;

type WireStatus = ReturnType<typeof toWireStatus>;

export function reportOf(status: AttemptStatus): WireStatus {
  const wire = toWireStatus(status);
  return {
    ...wire,
    message: (wire.message ?? '').slice(0, MAX_MESSAGE_CHARACTERS),
    limitations: (wire.limitations ?? []).slice(0, MAX_LIMITATIONS),
  };
}

/** All attempts in one report: absence says that the node does not know an attempt, so it cannot be split. */
export function inventoryOf(attempts: readonly AttemptStatus[]): WireStatus[] {
  if (attempts.length <= DETAILED_REPORT_ATTEMPTS) return attempts.map(reportOf);
  return attempts.map((status) => ({ ...toWireStatus(status), message: '', limitations: [] }));
}
