import { constants } from 'node:os';
import { formatBytes } from '@clawbernetes/kernel';
import type { EndReason } from '@clawbernetes/protocol';
import type { ExecutionExit } from '../executor.ts';
import type { ContainerState } from './container-state.ts';

/** An engine reports a death by signal n as exit code 128 + n. */
const SIGNAL_BASE = 128;

/**
 * How a container ended. The engine does not tell `exit 137` from a kill by signal 9; both mean to a shell
 * that something was killed, so we say the signal.
 */
export function containerExit(
  state: ContainerState,
  { stopReason, nowMs }: { readonly stopReason: EndReason | undefined; readonly nowMs: number },
): ExecutionExit {
  const signal = signalOf(state.exitCode);
  const finishedAtMs = state.finishedAtMs ?? nowMs;
  const ending = signal === undefined ? { exitCode: state.exitCode, finishedAtMs } : { signal, finishedAtMs };
  if (stopReason !== undefined) return { ...ending, reason: stopReason };
  if (state.outOfMemory) return { ...ending, ...outOfMemory(state, signal) };
  return signal === 'SIGKILL' && state.memoryLimitBytes > 0
    ? { ...ending, message: perhapsOutOfMemory(state) }
    : ending;
}

function outOfMemory(
  { memoryLimitBytes }: ContainerState,
  signal: string | undefined,
): Partial<ExecutionExit> {
  const limit = `its memory limit of ${formatBytes(memoryLimitBytes)}`;
  if (signal !== 'SIGKILL') return { message: `A process of the workload was killed at ${limit}.` };
  const message = `The workload was killed at ${limit}. Ask for more memory, or make it use less.`;
  return { reason: 'out-of-memory', message };
}

/**
 * Neither engine nor kernel log told of memory; we may not be allowed to read the log, or it has moved on.
 */
function perhapsOutOfMemory({ memoryLimitBytes }: ContainerState): string {
  return (
    'It was killed, and not by us. Nothing says that it was for memory, but a program that passes its limit ' +
    `(${formatBytes(memoryLimitBytes)}) right after its start can end like this.`
  );
}

/** The end of a container that was removed behind our back, or ended while its engine stayed away. */
export function unknownExit(message: string, nowMs: number): ExecutionExit {
  return { signal: 'SIGKILL', reason: 'executor-unavailable', message, finishedAtMs: nowMs };
}

function signalOf(exitCode: number): string | undefined {
  const number = exitCode - SIGNAL_BASE;
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}
