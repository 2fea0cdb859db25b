import type { MessageInitShape } from '@bufbuild/protobuf';
import { CodedError } from '@clawbernetes/kernel';
import { END_REASONS, type AttemptStatus, type EndReason, type NodeAttemptState } from './attempt.ts';
import type { Epoch } from './epoch.ts';
import {
  AttemptState as WireState,
  type AttemptStatus as WireStatus,
  type AttemptStatusSchema,
  type Epoch as WireEpoch,
} from './generated/clawbernetes/node/v1/node_pb.ts';

/**
 * Mirrors the wire's enum, so that its numbers do not leak; a state added to one side only does not compile.
 */
const WIRE_STATES: Record<NodeAttemptState, Exclude<WireState, typeof WireState.UNSPECIFIED>> = {
  accepted: WireState.ACCEPTED,
  preparing: WireState.PREPARING,
  ready: WireState.READY,
  running: WireState.RUNNING,
  stopping: WireState.STOPPING,
  exited: WireState.EXITED,
  killed: WireState.KILLED,
  lost: WireState.LOST,
};
const STATES = new Map(
  Object.entries(WIRE_STATES).map(([state, wire]) => [wire as WireState, state as NodeAttemptState]),
);
const SANDBOXES = ['bubblewrap', 'container', 'none'] as const;

export function toWireEpoch(epoch: Epoch): { term: bigint; counter: bigint } {
  return { term: BigInt(epoch.term), counter: BigInt(epoch.counter) };
}

export function fromWireEpoch(epoch: WireEpoch | undefined): Epoch {
  return { term: whole(epoch?.term ?? 0n), counter: whole(epoch?.counter ?? 0n) };
}

export function toWireStatus(status: AttemptStatus): MessageInitShape<typeof AttemptStatusSchema> {
  return {
    attemptId: status.attemptId,
    epoch: toWireEpoch(status.epoch),
    revision: BigInt(status.revision),
    state: WIRE_STATES[status.state],
    ...(status.exitCode === undefined ? {} : { exitCode: status.exitCode }),
    signal: status.signal ?? '',
    reason: status.reason ?? '',
    message: status.message ?? '',
    acceptedAtMs: BigInt(Math.round(status.acceptedAtMs)),
    startedAtMs: BigInt(Math.round(status.startedAtMs ?? 0)),
    finishedAtMs: BigInt(Math.round(status.finishedAtMs ?? 0)),
    sandbox: status.sandbox,
    limitations: [...status.limitations],
    logEnd: BigInt(status.logEnd),
  };
}

/** @throws CodedError `bad-frame` for a state or a number that this version does not know. */
export function fromWireStatus(wire: WireStatus): AttemptStatus {
  const state = STATES.get(wire.state);
  if (state === undefined) {
    throw new CodedError(`A node reported the unknown attempt state ${wire.state}.`, { code: 'bad-frame' });
  }
  return {
    attemptId: wire.attemptId,
    epoch: fromWireEpoch(wire.epoch),
    revision: whole(wire.revision),
    state,
    ...(wire.exitCode === undefined ? {} : { exitCode: wire.exitCode }),
    ...(wire.signal === '' ? {} : { signal: wire.signal }),
    ...(isEndReason(wire.reason) ? { reason: wire.reason } : {}),
    ...(wire.message === '' ? {} : { message: wire.message }),
    acceptedAtMs: whole(wire.acceptedAtMs),
    ...(wire.startedAtMs === 0n ? {} : { startedAtMs: whole(wire.startedAtMs) }),
    ...(wire.finishedAtMs === 0n ? {} : { finishedAtMs: whole(wire.finishedAtMs) }),
    sandbox: SANDBOXES.find((sandbox) => sandbox === wire.sandbox) ?? 'none',
    limitations: wire.limitations,
    logEnd: whole(wire.logEnd),
  };
}

function whole(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new CodedError(`A node reported ${value}, which is beyond what can be counted.`, {
    code: 'bad-frame',
  });
}

function isEndReason(text: string): text is EndReason {
  return (END_REASONS as readonly string[]).includes(text);
}
