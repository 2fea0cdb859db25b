import { nearest } from '@clawbernetes/kernel';
import { apiError, type ReservationRequest } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { NodeRecord } from '../records.ts';
import { isOfQueues, overlap, type HeldCapacity } from '../scheduler/calendar/calendar-reservation.ts';
import { chooseCapacity, wholeNode, type ReservableNode } from '../scheduler/calendar/choose-capacity.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { formatTime } from '../scheduler/why/reserved-words.ts';
import { endsAtMs } from './outlasting.ts';
import type { ReservationRecord } from './reservation-record.ts';

/** Of one reservation. */
const MAX_NODES = 1000;
const NAMED = 3;

interface Times {
  readonly startMs: number;
  readonly endMs: number;
}

type What = Pick<ReservationRequest, 'gpus' | 'gpuModels' | 'nodes' | 'nodeSelector' | 'queues'>;

/**
 * What a reservation is to hold, beside all others of the same time. @throws CodedError `not-found` for a
 * node, `conflict` if there is too little, `invalid-input` if it is too much for one reservation.
 */
export function heldCapacity(core: FleetCore, what: What, times: Times): readonly HeldCapacity[] {
  const others = core.calendar.all().filter((other) => overlap(other, times));
  const views = nodesFor(core, what);
  if (views.length === 0 && Object.keys(what.nodeSelector).length > 0)
    throw apiError(
      'not-found',
      'No node of the fleet has these labels; node list shows those that there are.',
    );
  const held =
    what.gpus === undefined ? wholeNodes(views, others) : someGpus(core, { what, times, views, others });
  if (held.length > MAX_NODES)
    throw apiError(
      'invalid-input',
      `It would hold ${held.length} nodes; one reservation holds ${MAX_NODES} at most.`,
    );
  return held;
}

/** Those that were named, or all with the labels: where none are named, only such that take work. */
export function nodesFor(
  { nodes }: FleetCore,
  { nodes: names, nodeSelector, gpus }: Omit<What, 'queues'>,
): readonly SnapshotNode[] {
  const labels = Object.entries(nodeSelector);
  const named = names.map((name) => nodeNamed(nodes, name));
  const all = names.length > 0 ? [...new Set(named)].map((node) => nodes.view(node)) : nodes.snapshot();
  const found = all.filter((view) => labels.every(([label, value]) => view.labels[label] === value));
  return names.length > 0 || gpus === undefined ? found : found.filter(({ schedulable }) => schedulable);
}

function nodeNamed(nodes: FleetCore['nodes'], name: string): NodeRecord {
  const node = nodes.node(name) ?? nodes.named(name);
  if (node?.approved && node.eligibility !== 'retired') return node;
  const near = nearest(
    name,
    [...nodes.nodes()].map((one) => one.name),
  );
  const hint =
    near === undefined || near === name ? 'node list shows those that there are.' : `Did you mean "${near}"?`;
  throw apiError('not-found', `There is no node "${name}" in the fleet. ${hint}`);
}

function wholeNodes(
  views: readonly SnapshotNode[],
  others: readonly ReservationRecord[],
): readonly HeldCapacity[] {
  const taken = views.flatMap(({ id, name }) =>
    others.flatMap((other) => (takenOn(id, other).length > 0 ? [{ node: name, other }] : [])),
  );
  if (taken.length === 0) return views.map(wholeNode);
  const [named, rest] = [taken.slice(0, NAMED), taken.length - NAMED];
  const who = named.map(({ node, other }) => `${node} by ${spanText(other)}`).join(', ');
  throw apiError(
    'conflict',
    `At that time ${who}${rest > 0 ? ` and ${rest} more` : ''} ${taken.length === 1 ? 'is' : 'are'} held already. ` +
      'Choose another time or other nodes, or delete what is in the way.',
  );
}

interface Choosing {
  readonly what: What;
  readonly times: Times;
  readonly views: readonly SnapshotNode[];
  readonly others: readonly ReservationRecord[];
}

function someGpus(core: FleetCore, { what, times, views, others }: Choosing): readonly HeldCapacity[] {
  const { gpus = 0, gpuModels } = what;
  const request = { gpus, gpuModels: gpuModels.map((model) => model.toLowerCase()), startMs: times.startMs };
  const nodes = reservableNodes(core, { views, others, queues: what.queues });
  const choice = chooseCapacity(nodes, request);
  if (choice.kind === 'chosen') return choice.held;
  throw tooFew(choice, { gpus, gpuModels, others, views });
}

interface Reservable {
  readonly views: readonly SnapshotNode[];
  /** Reservations of the same time. */
  readonly others: readonly ReservationRecord[];
  /** Whose work may stay. */
  readonly queues: readonly string[];
}

export function reservableNodes(
  core: FleetCore,
  { views, others, queues }: Reservable,
): readonly ReservableNode[] {
  return views.map((view) => ({
    view,
    taken: others.flatMap((other) => takenOn(view.id, other)),
    freeAtMs: freeTimes(core, view.id, queues),
  }));
}

/** By the time limits of what is there; what is of the queues may stay. */
function freeTimes(core: FleetCore, nodeId: string, queues: readonly string[]): (device: string) => number {
  const { workloads, queues: table } = core;
  const until = new Map<string, number>();
  for (const attempt of workloads.liveOn(nodeId)) {
    const workload = workloads.workload(attempt.workloadId);
    if (!workload || isOfQueues(table.regime.queueOf(workload.spec), queues)) continue;
    const endMs = endsAtMs(core, attempt, workload) ?? Infinity;
    for (const id of attempt.devices) until.set(id, Math.max(until.get(id) ?? 0, endMs));
  }
  return (device) => until.get(device) ?? 0;
}

function takenOn(nodeId: string, { held }: ReservationRecord): readonly HeldCapacity[] {
  return held.filter((one) => one.nodeId === nodeId);
}

interface Shortage {
  readonly gpus: number;
  readonly gpuModels: readonly string[];
  readonly others: readonly ReservationRecord[];
  readonly views: readonly SnapshotNode[];
}

function tooFew(
  { matching, left }: { readonly matching: number; readonly left: number },
  { gpus, gpuModels, others, views }: Shortage,
): Error {
  const what = `${gpus} × ${gpuModels.length > 0 ? gpuModels.join(' or ') : 'GPU'}`;
  if (matching < gpus) {
    const where = views.length === 1 ? 'the node' : `the ${views.length} nodes`;
    return apiError(
      'conflict',
      `It asks for ${what}, and ${where} that may hold it ${views.length === 1 ? 'has' : 'have'} ${matching} in ` +
        'working order. Ask for fewer, for other models, or for other nodes.',
    );
  }
  const ids = new Set(views.map(({ id }) => id));
  const inWay = others.filter(({ held }) => held.some(({ nodeId }) => ids.has(nodeId)));
  const who = inWay.slice(0, NAMED).map(spanText).join(', ');
  const rest = inWay.length > NAMED ? ` and ${inWay.length - NAMED} more` : '';
  const less = left > 0 ? `Ask for ${left}, choose` : 'Choose';
  return apiError(
    'conflict',
    `It asks for ${what}; of ${matching} only ${left} are left at that time by ${who}${rest}. ` +
      `${less} another time, or delete one of them.`,
  );
}

function spanText({ name, startMs, endMs }: ReservationRecord): string {
  return `${name} (${formatTime(startMs)} to ${formatTime(endMs)})`;
}
