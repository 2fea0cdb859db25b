import { constants } from 'node:os';
import type { WorkloadView } from '@clawbernetes/protocol';

const RUN_FAILED = 125;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
const INTERRUPTED = 128 + constants.signals.SIGINT;

/**
 * The workload's own code, or 128+n for signal n, as a shell would give. Where it never ran: 127 and 126 as
 * shells say
 * "not found" and "not executable", 130 when Ctrl-C took it back, else 125.
 */
export function workloadExitCode(view: WorkloadView, stopRequested: boolean): number {
  if (view.exitCode !== undefined) return view.exitCode;
  if (view.signal !== undefined) return 128 + signalNumber(view.signal);
  if (view.endReason === 'command-not-found') return NOT_FOUND;
  if (view.endReason === 'command-not-executable') return NOT_EXECUTABLE;
  return stopRequested ? INTERRUPTED : RUN_FAILED;
}

/** 0 for a signal that this platform does not know. */
export function signalNumber(signal: string | undefined): number {
  return Object.entries(constants.signals).find(([name]) => name === signal)?.[1] ?? 0;
}
