import type { WaitExplanation } from '@clawbernetes/protocol';
import { afterPlacement, type Placement } from '../placement.ts';
import { planPlacements, type PendingShape } from '../plan.ts';
import { shapeKey, type Shape } from '../resources.ts';
import type { FleetPacking } from '../score/fleet-packing.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { alikeFor, alikeNodes } from './alike.ts';
import { explainWaiting, type WaitQuestion } from './explain-waiting.ts';
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
  ) => readonly Placement[];
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
  const { asked, drained, ended } = supposition;
  const nodes = facts.nodes.map((node) => imagine(node, facts, { drained, ended }));
  const moving = facts.nodes
    .filter(({ id }) => drained.has(id))
    .flatMap(({ id }) => facts.holdersOf(id).filter(({ workloadId }) => !ended.has(workloadId)));
  const { moved, bound } = movesOf(moving, facts);
  const queue = [...moved, ...worthTrying(facts, ended), ...askedShapes(asked)];
  const count = queue.reduce((sum, { workloadIds }) => sum + workloadIds.length, 0);
  const placements = facts.plan
    ? facts.plan(nodes, queue, ended)
    : planPlacements({ nodes }, queue, Math.max(1, count), facts.packing).placements;
  const placed = new Set(placements.map(({ workloadId }) => workloadId));
  const isMoving = new Set(moving.map(({ workloadId }) => workloadId));
  const {
    starts = [],
    moves = [],
    unblocked = [],
  } = Object.groupBy(placements, ({ workloadId }) =>
    isMoving.has(workloadId) ? 'moves' : workloadId.startsWith(ASKED) ? 'starts' : 'unblocked',
  );
  const then = { ...facts, nodes: afterAll(nodes, placements) };
  return {
    starts,
    ...waitsOf(then, { ...supposition, starts: workloadsOf(starts), placed }),
    moves,
    stranded: [...bound, ...withoutPlace(moved, placed, then)],
    unblocked,
  };
}

/** A gang starts as many placements. */
function workloadsOf(placements: readonly Placement[]): number {
  return new Set(placements.map(({ workloadId }) => workloadId)).size;
}

/** What fits nowhere is worth trying only where something has ended. */
function worthTrying(facts: FleetFacts, ended: ReadonlySet<string>): readonly PendingShape[] {
  const { nodes, waiting, untried, holdersOf } = facts;
  const isFreed = ({ id }: SnapshotNode): boolean =>
    holdersOf(id).some(({ workloadId }) => ended.has(workloadId));
  const nodeIds = new Set(ended.size === 0 ? [] : nodes.filter(isFreed).map(({ id }) => id));
  return waiting.flatMap((group) => {
    if (untried.has(group.key)) return [group];
    return nodeIds.size > 0 ? [{ ...group, nodeIds }] : [];
  });
}

function imagine(
  node: SnapshotNode,
  { holdersOf }: FleetFacts,
  { drained, ended }: Pick<Supposition, 'drained' | 'ended'>,
): SnapshotNode {
  const gone = ended.size === 0 ? [] : holdersOf(node.id).filter(({ workloadId }) => ended.has(workloadId));
  const freed = gone.length === 0 ? node : withoutHolders(node, gone);
  return drained.has(node.id) ? { ...freed, schedulable: false, unschedulableReason: 'draining' } : freed;
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
function afterAll(nodes: readonly SnapshotNode[], placements: readonly Placement[]): readonly SnapshotNode[] {
  const now = new Map(nodes.map((node) => [node.id, node]));
  for (const { nodeId, shape, devices } of placements) {
    const node = now.get(nodeId);
    if (node) now.set(nodeId, afterPlacement(node, shape, devices));
  }
  return [...now.values()];
}

function withoutPlace(
  moved: readonly PendingShape[],
  placed: ReadonlySet<string>,
  then: FleetFacts,
): readonly Stranded[] {
  return moved
    .flatMap(({ shape, workloadIds }) => workloadIds.map((workloadId) => ({ shape, workloadId })))
    .filter(({ workloadId }) => !placed.has(workloadId))
    .map(({ shape, workloadId }) => ({ workloadId, message: obstaclesText(then, shape) }));
}

function obstaclesText({ nodes, likenessOf }: FleetFacts, shape: Shape): string {
  const alike = alikeFor(shape, alikeNodes(nodes, likenessOf));
  const counts = surveyNodes(alike, shape).counts.map(({ message }) => message);
  return `It would wait: of ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'} ${counts.join(', ')}.`;
}

interface Asked extends Supposition {
  readonly starts: number;
  readonly placed: ReadonlySet<string>;
}

function waitsOf(
  then: FleetFacts,
  { asked, ended, starts, placed }: Asked,
): Pick<Outcome, 'waits' | 'waiting'> {
  if (!asked || starts === asked.count) return { waits: 0 };
  const ahead = then.waiting.flatMap((group) => {
    const workloadIds = group.workloadIds.filter((id) => !placed.has(id));
    return workloadIds.length > 0 ? [{ ...group, workloadIds }] : [];
  });
  const holdersOf = (nodeId: string): readonly Holder[] =>
    then.holdersOf(nodeId).filter(({ workloadId }) => !ended.has(workloadId));
  return { waits: asked.count - starts, waiting: explain({ ...then, holdersOf }, asked.shape, ahead) };
}

function explain(facts: FleetFacts, shape: Shape, ahead: readonly PendingShape[]): WaitExplanation {
  const { nodes, unapproved, holdersOf, limitOf, nowMs, likenessOf } = facts;
  const question = { nodes, unapproved, holdersOf, limitOf, nowMs, ...(likenessOf ? { likenessOf } : {}) };
  return explainWaiting({ ...question, shape, ahead });
}
