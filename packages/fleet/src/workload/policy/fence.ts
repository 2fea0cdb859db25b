import { formatDuration, present } from '@clawbernetes/kernel';
import { apiError, type WorkloadSpec } from '@clawbernetes/protocol';
import type { FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord } from '../../records.ts';
import { endAsLost } from '../end-as-lost.ts';

/** Clocks of gateway and node may differ in speed by a tenth, far more than any that is in order. */
const CLOCK_RATE = 1.1;
/** For a node to notice that its time is over, and for a kill to take effect, ms. */
const KILL_MARGIN_MS = 10_000;

/**
 * How long after the last contact work must have ended by itself; undefined if it goes on. A node counts from
 * when it sent what was answered, we count from when the newest frame of it arrived. What is answered has
 * arrived, what has arrived was sent before, and our contact never goes back: so the node always begins to
 * count first, and is waited for too long rather than too short. To answer what came over a connection that
 * does not count would break this.
 */
export function fencedAfterMs({ onDisconnect, stopGraceMs }: WorkloadSpec): number | undefined {
  if (onDisconnect?.action !== 'stop') return undefined;
  const { afterMs = 0 } = onDisconnect;
  return Math.ceil((afterMs + stopGraceMs) * CLOCK_RATE) + KILL_MARGIN_MS;
}

/** Until its node must have stopped it, ms; undefined if it need not, or nothing says that it is away. */
export function fenceLeftMs(core: FleetCore, attempt: AttemptRecord): number | undefined {
  const workload = present(core.workloads.workload(attempt.workloadId), 'the workload of an attempt');
  const afterMs = fencedAfterMs(workload.spec);
  if (afterMs === undefined || attempt.unknownSinceMs === undefined) return undefined;
  return Math.max(0, lastContactMs(core, attempt.nodeId) + afterMs - core.clock.monotonicMs());
}

/** Ends what a node out of reach must have stopped by itself by now. */
export function passFences(core: FleetCore, nodeId: string): void {
  const connectivity = core.nodes.presence(nodeId)?.connectivity;
  if (connectivity === 'connected' || connectivity === 'suspect') return;
  for (const attempt of core.workloads.liveOn(nodeId)) {
    if (fenceLeftMs(core, attempt) !== 0) continue;
    const name = core.nodes.node(nodeId)?.name ?? nodeId;
    const message = `${name} had no contact for so long that it had to stop it by itself.`;
    endAsLost(core, attempt, { cause: 'node-loss', message, fenced: true });
  }
}

/** A node must not end it in disturbances that its lease outlasts. @throws CodedError `invalid-input`. */
export function refuseHasty({ onDisconnect }: WorkloadSpec, { leaseMs }: { readonly leaseMs: number }): void {
  const { afterMs = Infinity } = onDisconnect ?? {};
  if (afterMs >= leaseMs) return;
  const message = `must be at least ${formatDuration(leaseMs)}, for which a node may be silent without being away`;
  throw apiError('invalid-input', `onDisconnect.afterMs ${message}.`, {
    issues: [{ path: 'spec.onDisconnect.afterMs', message }],
  });
}

/**
 * Later than any moment from which the node may count, on the monotonic clock. A gateway before this one may
 * have been heard for a lease longer than it was.
 */
function lastContactMs({ nodes, openedMs, options }: FleetCore, nodeId: string): number {
  return Math.max(nodes.presence(nodeId)?.lastSeenMs ?? openedMs, openedMs + options.leaseMs);
}
