import type { ReservationView } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import { isOfQueues, type HeldCapacity } from '../scheduler/calendar/calendar-reservation.ts';
import { WHOLE_GPU } from '../scheduler/cluster/demand.ts';
import { countedMilli } from '../scheduler/gpu-fit.ts';
import type { SnapshotGpu, SnapshotNode } from '../scheduler/snapshot.ts';
import { outlastingOf, type Outlasting } from './outlasting.ts';
import type { ReservationRecord } from './reservation-record.ts';

type HeldNode = ReservationView['nodes'][number];
type Counts = Pick<ReservationView, 'gpus' | 'gpusInUse' | 'gpusOccupied' | 'gpusAway'>;

/** A reservation as people see it. */
export function reservationView(core: FleetCore, reservation: ReservationRecord): ReservationView {
  const { name, purpose, startMs, endMs, queues, running, noticeMs, createdAtMs, held } = reservation;
  const nodes = held.map((one) => heldNode(core, one));
  const counts = countsOf(core, reservation, nodes);
  const outlasting = outlastingOf(core, reservation);
  const state = startMs <= core.clock.nowMs() ? ('active' as const) : ('upcoming' as const);
  return {
    ...{ name, purpose, state, startMs, endMs, queues: [...queues], running, noticeMs, ...counts, nodes },
    outlasting: outlasting.map((one) => outlastingView(core, one)),
    createdAtMs,
    message: describe(reservation, { state, counts, nodes: nodes.length, outlasting }),
  };
}

/** GPUs that are given to work as a whole or in parts, in order or not; not those that MIG has cut up. */
export function isGiven({ usable, outOfUse, isCut }: SnapshotGpu): boolean {
  return isCut !== true && (usable || outOfUse !== undefined);
}

function heldNode({ nodes }: FleetCore, { nodeId, devices }: HeldCapacity): HeldNode {
  const node = nodes.node(nodeId);
  const all = node ? nodes.view(node).gpus.filter(isGiven) : [];
  const ids = devices ?? all.map(({ id }) => id);
  return {
    ...{ node: node?.name ?? nodeId, whole: devices === undefined, devices: [...ids] },
    gpus: milliIn(node && nodes.view(node))(ids) / WHOLE_GPU,
  };
}

/** Thousandths of GPUs that some devices of a node are; one that is not there any more counts as one GPU. */
function milliIn(view: SnapshotNode | undefined): (ids: Iterable<string>) => number {
  const parts = new Map(view?.gpus.map((gpu) => [gpu.id, countedMilli(gpu)]));
  return (ids) => Array.from(ids).reduce((sum, id) => sum + (parts.get(id) ?? WHOLE_GPU), 0);
}

function countsOf(core: FleetCore, reservation: ReservationRecord, nodes: readonly HeldNode[]): Counts {
  const { workloads, queues } = core;
  const milli = { gpus: 0, gpusInUse: 0, gpusOccupied: 0, gpusAway: 0 };
  for (const [at, { nodeId }] of reservation.held.entries()) {
    const devices = new Set(nodes[at]?.devices);
    const own = new Set<string>();
    const others = new Set<string>();
    for (const attempt of workloads.liveOn(nodeId)) {
      const spec = workloads.workload(attempt.workloadId)?.spec ?? {};
      const isOwn = isOfQueues(queues.regime.queueOf(spec), reservation.queues);
      for (const id of attempt.devices) if (devices.has(id)) (isOwn ? own : others).add(id);
    }
    const view = viewOf(core, nodeId);
    const milliOf = milliIn(view);
    milli.gpus += milliOf(devices);
    milli.gpusInUse += milliOf(own);
    milli.gpusOccupied += milliOf(others);
    milli.gpusAway += milliOf(awayOf(view, devices));
  }
  return {
    gpus: milli.gpus / WHOLE_GPU,
    gpusInUse: milli.gpusInUse / WHOLE_GPU,
    gpusOccupied: milli.gpusOccupied / WHOLE_GPU,
    gpusAway: milli.gpusAway / WHOLE_GPU,
  };
}

function viewOf({ nodes }: Pick<FleetCore, 'nodes'>, nodeId: string): SnapshotNode | undefined {
  const node = nodes.node(nodeId);
  return node && nodes.view(node);
}

/** Of these GPUs of a node those that no work can have now, whoever it is for. */
export function awayOf(view: SnapshotNode | undefined, devices: ReadonlySet<string>): readonly string[] {
  if (!view?.schedulable) return [...devices];
  const usable = new Set(view.gpus.filter((gpu) => gpu.usable).map(({ id }) => id));
  return [...devices].filter((id) => !usable.has(id));
}

function outlastingView(
  { nodes }: FleetCore,
  { attempt, workload, endsAtMs, stopsAtMs }: Outlasting,
): ReservationView['outlasting'][number] {
  return {
    ...{ workload: workload.id, name: workload.name },
    node: nodes.node(attempt.nodeId)?.name ?? attempt.nodeId,
    ...(endsAtMs === undefined ? {} : { endsAtMs }),
    ...(stopsAtMs === undefined ? {} : { stopsAtMs }),
  };
}

interface Told {
  readonly state: ReservationView['state'];
  readonly counts: Counts;
  readonly nodes: number;
  readonly outlasting: readonly Outlasting[];
}

function describe({ purpose, queues }: ReservationRecord, told: Told): string {
  const { state, counts, nodes, outlasting } = told;
  const what = `${counted(counts.gpus, 'GPU')} on ${counted(nodes, 'node')}`;
  const whose = purpose === 'maintenance' ? 'free of work' : `for queue ${queues.join(', ')}`;
  const left = outlasting.filter(({ stopsAtMs }) => stopsAtMs === undefined).length;
  const sentences = [
    state === 'active'
      ? `It keeps ${what} ${whose}.`
      : `From its start it keeps ${what} ${whose}; until then only what ends before is placed there.`,
    counts.gpusAway > 0
      ? `${counted(counts.gpusAway, 'GPU')} of it cannot be used now: broken, or on nodes that take no work.`
      : '',
    left > 0
      ? `${counted(left, 'workload')} of others may run past its start and ${left === 1 ? 'is' : 'are'} left; ` +
        'stop what is in the way, or make it with --evict.'
      : '',
    outlasting.length > left
      ? `${counted(outlasting.length - left, 'workload')} that might run past its start will be asked to end.`
      : '',
  ];
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

function counted(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
