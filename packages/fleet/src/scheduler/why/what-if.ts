import type { WaitExplanation } from '@clawbernetes/protocol';
import { afterPlacement, type Placement } from '../placement.ts';
import { planningPlacements, type PendingShape } from '../plan.ts';
import { shapeKey, type Shape } from '../resources.ts';
import type { FleetPacking } from '../score/fleet-packing.ts';
import { atOnce, sliced, type Sliced } from '../slices.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { alikeFor, gatherAlike, type Alike } from './alike.ts';
import { explainingWaiting, type WaitQuestion } from './explain-waiting.ts';
import { withoutHolders, type Holder } from './holder.ts';
import { surveyNodes } from './survey.ts';

/** What is imagined of the fleet. */
export interface Supposition {
  /** So many of this shape are asked for. */
  readonly asked?: { readonly shape: Shape; readonly count: number };
  /** Ids of nodes that take no more work, and whose work moves elsewhere. */
  readonly drained: ReadonlySet<string>;
  /** Ids of workloads that have ended. */
  readonly ended: ReadonlySet<string>;
}

/** The fleet as it is. */
export interface FleetFacts extends Omit<WaitQuestion, 'shape' | 'ahead'> {
  /** What waits, the longest first. */
  readonly waiting: readonly PendingShape[];
  /** Keys of those of it that were not tried yet; the others are known to fit nowhere. */
  readonly untried: ReadonlySet<string>;
  /** The shape with which it would ask for another node, or why it would not. */
  readonly movedAs: (workloadId: string) => Shape | string;
  readonly packing: FleetPacking;
  /** What is placed of all that asks, where queues have a say in it; @param ended ids of workloads. */
  readonly plan?: (
    nodes: readonly SnapshotNode[],
    asking: readonly PendingShape[],
    ended: ReadonlySet<string>,
  ) => Sliced<readonly Placement[]>;
}

export interface Stranded {
  readonly workloadId: string;
  readonly message: string;
}

export interface Outcome {
  /** Of what was asked for. */
  readonly starts: readonly Placement[];
  /** How many of what was asked for wait, and why. */
  readonly waits: number;
  readonly waiting?: WaitExplanation;
  /** Of what ran on drained nodes. */
  readonly moves: readonly Placement[];
  readonly stranded: readonly Stranded[];
  /** Of what waits now. */
  readonly unblocked: readonly Placement[];
}

const ASKED = 'asked';
/** Begins the keys of what leaves drained nodes. */
export const MOVED = 'moved ';

/**
 * What a fleet would do, computed on a copy: what runs on drained nodes asks for a place first, then what
 * waits already, and last what is asked for. The facts are not changed.
 */
export function whatIf(facts: FleetFacts, supposition: Supposition): Outcome {
  return atOnce(imagining(facts, supposition));
}

/** Of one node with what runs there, and of one that is placed, in looks. */
const LOOKS_PER_NODE = 1;
const LOOKS_PER_PLACED = 1;

/** The same in pieces. */
export function* imagining(facts: FleetFacts, supposition: Supposition): Sliced<Outcome> {
  const { asked, drained, ended } = supposition;
  const { nodes, freed } = yield* imagine(facts, { drained, ended });
  const moving = facts.nodes
    .filter(({ id }) => drained.has(id))
    .flatMap(({ id }) => facts.holdersOf(id).filter(({ workloadId }) => !ended.has(workloadId)));
  const { moved, bound } = movesOf(moving, facts);
  const queue = [...moved, ...worthTrying(facts, freed), ...askedShapes(asked)];
  const count = queue.reduce((sum, { workloadIds }) => sum + workloadIds.length, 0);
  const placements = facts.plan
    ? yield* facts.plan(nodes, queue, ended)
    : (yield* planningPlacements({ nodes }, queue, Math.max(1, count), facts.packing)).placements;
  const placed = new Set(placements.map(({ workloadId }) => workloadId));
  const isMoving = new Set(moving.map(({ workloadId }) => workloadId));
  const {
    starts = [],
    moves = [],
    unblocked = [],
  } = Object.groupBy(placements, ({ workloadId }) =>
    isMoving.has(workloadId) ? 'moves' : workloadId.startsWith(ASKED) ? 'starts' : 'unblocked',
  );
  const then = { ...facts, nodes: yield* afterAll(nodes, placements) };
  return {
    starts,
    ...(yield* waitsOf(then, { ...supposition, starts: workloadsOf(starts), placed })),
    moves,
    stranded: [...bound, ...(yield* withoutPlace(moved, placed, then))],
    unblocked,
  };
}

/** A gang starts as many placements. */
function workloadsOf(placements: readonly Placement[]): number {
  return new Set(placements.map(({ workloadId }) => workloadId)).size;
}

/** What fits nowhere is worth trying only where something has ended. */
function worthTrying(
  { waiting, untried }: FleetFacts,
  nodeIds: ReadonlySet<string>,
): readonly PendingShape[] {
  return waiting.flatMap((group) => {
    if (untried.has(group.key)) return [group];
    return nodeIds.size > 0 ? [{ ...group, nodeIds }] : [];
  });
}

interface ImaginedNodes {
  readonly nodes: readonly SnapshotNode[];
  /** Ids of nodes where something has ended. */
  readonly freed: ReadonlySet<string>;
}

function* imagine(
  facts: FleetFacts,
  { drained, ended }: Pick<Supposition, 'drained' | 'ended'>,
): Sliced<ImaginedNodes> {
  if (drained.size === 0 && ended.size === 0) return { nodes: facts.nodes, freed: new Set() };
  const nodes: SnapshotNode[] = [];
  const freed = new Set<string>();
  yield* sliced(facts.nodes, LOOKS_PER_NODE, (node) => {
    const holders = ended.size === 0 ? [] : facts.holdersOf(node.id);
    const gone = holders.filter(({ workloadId }) => ended.has(workloadId));
    if (gone.length > 0) freed.add(node.id);
    const left = gone.length === 0 ? node : withoutHolders(node, gone);
    const isDrained = drained.has(node.id);
    nodes.push(isDrained ? { ...left, schedulable: false, unschedulableReason: 'draining' } : left);
  });
  return { nodes, freed };
}

function movesOf(
  moving: readonly Holder[],
  { movedAs }: FleetFacts,
): { readonly moved: readonly PendingShape[]; readonly bound: readonly Stranded[] } {
  const moved: PendingShape[] = [];
  const bound: Stranded[] = [];
  for (const { workloadId } of moving) {
    const shape = movedAs(workloadId);
    if (typeof shape === 'string') bound.push({ workloadId, message: shape });
    else moved.push({ key: `${MOVED}${workloadId}`, shape, workloadIds: [workloadId] });
  }
  return { moved, bound };
}

function askedShapes(asked: Supposition['asked']): readonly PendingShape[] {
  if (!asked) return [];
  const workloadIds = Array.from({ length: asked.count }, (_, index) => `${ASKED} ${index}`);
  return [{ key: `${ASKED} ${shapeKey(asked.shape)}`, shape: asked.shape, workloadIds }];
}

/** The nodes once all of this is placed. */
export function* afterAll(
  nodes: readonly SnapshotNode[],
  placements: readonly Placement[],
): Sliced<readonly SnapshotNode[]> {
  const then = new Map<string, SnapshotNode | undefined>(placements.map(({ nodeId }) => [nodeId, undefined]));
  if (then.size === 0) return nodes;
  yield* sliced(nodes, LOOKS_PER_NODE, (node) => {
    if (then.has(node.id)) then.set(node.id, node);
  });
  yield* sliced(placements, LOOKS_PER_PLACED, ({ nodeId, shape, devices }) => {
    const node = then.get(nodeId);
    if (node) then.set(nodeId, afterPlacement(node, shape, devices));
  });
  return nodes.map((node) => then.get(node.id) ?? node);
}

function* withoutPlace(
  moved: readonly PendingShape[],
  placed: ReadonlySet<string>,
  { nodes, likenessOf }: FleetFacts,
): Sliced<readonly Stranded[]> {
  const waiting = moved.filter(({ workloadIds }) => workloadIds.some((id) => !placed.has(id)));
  if (waiting.length === 0) return [];
  const alike = yield* gatherAlike(nodes, likenessOf);
  const stranded: Stranded[] = [];
  const textOf = new Map<string, string>();
  for (const { shape, workloadIds } of waiting) {
    const key = shapeKey(shape);
    const message = textOf.get(key) ?? (yield* obstaclesText(alike, nodes.length, shape));
    textOf.set(key, message);
    for (const workloadId of workloadIds) if (!placed.has(workloadId)) stranded.push({ workloadId, message });
  }
  return stranded;
}

function* obstaclesText(alike: readonly Alike[], nodes: number, shape: Shape): Sliced<string> {
  const { counts } = yield* surveyNodes(alikeFor(shape, alike), shape);
  const told = counts.map(({ message }) => message).join(', ');
  return `It would wait: of ${nodes} ${nodes === 1 ? 'node' : 'nodes'} ${told}.`;
}

interface Asked extends Supposition {
  readonly starts: number;
  readonly placed: ReadonlySet<string>;
}

function* waitsOf(
  then: FleetFacts,
  { asked, ended, starts, placed }: Asked,
): Sliced<Pick<Outcome, 'waits' | 'waiting'>> {
  if (!asked || starts === asked.count) return { waits: 0 };
  const ahead = then.waiting.flatMap((group) => {
    const workloadIds = group.workloadIds.filter((id) => !placed.has(id));
    return workloadIds.length > 0 ? [{ ...group, workloadIds }] : [];
  });
  const facts = ended.size === 0 ? then : withoutEnded(then, ended);
  const waiting = yield* explain(facts, asked.shape, ahead);
  return { waits: asked.count - starts, waiting };
}

/** What is counted of all that runs somewhere is found out anew there. */
function withoutEnded(
  { endsOf: _, countOf: __, ...facts }: FleetFacts,
  ended: ReadonlySet<string>,
): FleetFacts {
  const holdersOf = (nodeId: string): readonly Holder[] =>
    facts.holdersOf(nodeId).filter(({ workloadId }) => !ended.has(workloadId));
  return { ...facts, holdersOf };
}

function explain(
  { nodes, unapproved, holdersOf, endsOf, countOf, limitOf, nowMs, likenessOf }: FleetFacts,
  shape: Shape,
  ahead: readonly PendingShape[],
): Sliced<WaitExplanation> {
  return explainingWaiting({
    ...{ nodes, unapproved, holdersOf, limitOf, nowMs, shape, ahead },
    ...(endsOf ? { endsOf } : {}),
    ...(countOf ? { countOf } : {}),
    ...(likenessOf ? { likenessOf } : {}),
  });
}
