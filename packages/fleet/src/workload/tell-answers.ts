import type { WaitExplanation, WhatIf } from '@clawbernetes/protocol';
import type { NodeRecord, WorkloadRecord } from '../records.ts';
import type { Placement } from '../scheduler/placement.ts';
import { shapeOf, type Shape } from '../scheduler/resources.ts';
import type { Outcome } from '../scheduler/why/what-if.ts';
import { named } from './answer-words.ts';
import type { FleetMoment } from './fleet-moment.ts';

/** A place that is kept for a workload that waits. */
export interface KeptPlace {
  /** Its name. */
  readonly node: string;
  /** Names of what has to end there first. */
  readonly awaits: readonly string[];
  /** When it starts at the latest, if others make room for it or it is its own place of before. */
  readonly startMs?: number;
}

/** An explanation with what is kept for the one that waits. */
export function withPlace(
  explained: WaitExplanation,
  { node, awaits, startMs }: KeptPlace,
  fromMs: number,
): WaitExplanation {
  const ending = awaits.length > 0 ? `: it starts once ${named(awaits)} has ended` : '';
  const message = `${explained.message} A place is kept for it on ${node}${ending}.`;
  if (startMs === undefined) return { ...explained, message };
  const start = {
    estimate: 'range' as const,
    ...{ fromMs, toMs: Math.max(fromMs, startMs) },
    message: `On ${node}, once what makes room for it there has ended.`,
  };
  return { ...explained, message, start };
}

/** The shape with which something would ask for another node if its own took no more work, or what else. */
export function movedAs(workload: WorkloadRecord | undefined): Shape | string {
  if (!workload) return 'It is gone.';
  if (workload.nodeId !== undefined) return 'It would end: it is bound to this node.';
  if (workload.gang)
    return 'Another place would be looked for near the other members of its gang; without one all begin anew.';
  if (workload.stopRequested) return 'It would end: its stop was asked for already.';
  if (workload.spec.reschedule?.evicted === 'end') return 'It would end: so it was asked for (evicted: end).';
  return shapeOf(workload.spec, undefined);
}

interface Told {
  readonly moment: FleetMoment;
  /** What is asked for is called so. */
  readonly asked: string;
  readonly drained: readonly NodeRecord[];
}

/** An outcome in names. */
export function tellOutcome(
  { starts, waits, waiting, moves, stranded, unblocked }: Outcome,
  { moment, asked, drained }: Told,
): Omit<WhatIf, 'message'> {
  const { workloads } = moment;
  const nameOf = (id: string): string => workloads.workload(id)?.name ?? id;
  const where = ({ before, devices, shape: { gpuMilli } }: Placement) => ({
    node: before.name,
    devices: [...devices],
    ...(gpuMilli === undefined ? {} : { gpuMilli }),
  });
  const known = (one: Placement) => ({
    ...{ workload: one.workloadId, name: nameOf(one.workloadId) },
    ...where(one),
  });
  const nodeOf = new Map(
    drained.flatMap(({ id, name }) => workloads.liveOn(id).map(({ workloadId }) => [workloadId, name])),
  );
  return {
    starts: starts.map((one) => ({ name: asked, ...where(one) })),
    waits,
    ...(waiting ? { waiting } : {}),
    moves: moves.map((one) => ({ ...known(one), from: nodeOf.get(one.workloadId) ?? '' })),
    stranded: stranded.map(({ workloadId: workload, message }) => ({
      ...{ workload, name: nameOf(workload), message },
    })),
    unblocked: unblocked.map(known),
  };
}
