import type { Remedy, RemedyStep } from '@clawbernetes/protocol';
import { planningPlacements, type PendingShape } from '../plan.ts';
import { memberOf } from '../gang/member-shape.ts';
import { shapeKey, type Shape } from '../resources.ts';
import { RoomBound } from '../room-bound.ts';
import { FleetPacking } from '../score/fleet-packing.ts';
import { filtered, type Sliced } from '../slices.ts';
import type { Holder } from './holder.ts';
import { obstaclesOf } from './obstacle.ts';
import { commandsFor, describeSteps } from './remedy-words.ts';
import { APPROACHES, cureFor, type Approach } from './remedy-step.ts';
import type { Situation } from './situation.ts';
import type { SnapshotNode } from '../snapshot.ts';
import type { Hindered, Survey } from './survey.ts';

const MAX_REMEDIES = 5;
/** More steps than this are no remedy that anybody would follow. */
const MAX_STEPS = 4;
/** Nodes of which a remedy is looked for, of those that are hindered by the same: the nearest. */
const NODES_PER_HINDRANCE = 32;
const MAX_NODES = 256;
/** Of one node on which one approach is tried, in looks. */
const LOOKS_PER_APPROACH = 20;
/** Of one shape that has waited longer, in looks. */
const LOOKS_PER_SHAPE = 0.1;
/** Of nodes that are alike, those for which other requests are looked for: they do as well for the rest. */
const ASKED_OF_ALIKE = 4;

export interface RemedyQuestion {
  readonly shape: Shape;
  /** What has waited longer, in the order in which it is placed. */
  readonly ahead: readonly PendingShape[];
  readonly holdersOf: (nodeId: string) => readonly Holder[];
}

interface Plan {
  readonly steps: readonly RemedyStep[];
  readonly cost: number;
  readonly after: Situation;
}

/** What would make it start: the smallest changes, of different kinds, each tried on a copy. */
export function* findRemedies(
  { hindered }: Pick<Survey, 'hindered'>,
  question: RemedyQuestion,
): Sliced<readonly Remedy[]> {
  const plans: Plan[] = [];
  for (const { node, approaches } of worthLookingAt(hindered)) {
    plans.push(...plansFor(node, approaches, question));
    yield approaches.length * LOOKS_PER_APPROACH;
  }
  const packing = new FleetPacking();
  const remedies: Remedy[] = [];
  for (const { steps, after } of differentPlans(plans).slice(0, MAX_REMEDIES))
    remedies.push({
      steps: [...steps],
      message: describeSteps(steps, question.shape),
      commands: [...commandsFor(steps)],
      certain: isCertain(steps) && (yield* startsThen(after, question, packing)),
    });
  return remedies.toSorted((left, right) => Number(right.certain) - Number(left.certain));
}

/** Of nodes hindered by the same the nearest, so that many alike leave room for the others. */
function worthLookingAt(
  hindered: readonly Hindered[],
): readonly { readonly node: SnapshotNode; readonly approaches: readonly Approach[] }[] {
  const seen = new Map<string, number>();
  const kept = hindered.flatMap(({ nodes, obstacles }) => {
    const kind = obstacles.map(({ code }) => code).join(' ');
    const count = seen.get(kind) ?? 0;
    seen.set(kind, count + nodes.length);
    return nodes.slice(0, Math.max(0, NODES_PER_HINDRANCE - count)).map((node, at) => ({
      node,
      approaches: at < ASKED_OF_ALIKE ? APPROACHES : FLEET_ONLY,
    }));
  });
  return kept.slice(0, MAX_NODES);
}

const FLEET_ONLY: readonly Approach[] = ['fleet'];

function plansFor(
  node: SnapshotNode,
  approaches: readonly Approach[],
  { shape, holdersOf }: RemedyQuestion,
): readonly Plan[] {
  const situation = { node, shape, holders: holdersOf(node.id) };
  return approaches.flatMap((approach) => planFor(situation, approach) ?? []);
}

/** Cures one obstacle after the other, as each leaves the situation. */
function planFor(start: Situation, approach: Approach): Plan | undefined {
  let [after, cost] = [start, 0];
  const steps: RemedyStep[] = [];
  while (steps.length <= MAX_STEPS) {
    const [obstacle] = obstaclesOf(after.node, after.shape);
    if (!obstacle) return { steps: merged(steps), cost, after };
    const cure = cureFor(after, obstacle, approach);
    if (!cure) return undefined;
    steps.push(cure.step);
    cost += cure.cost;
    after = cure.after;
  }
  return undefined;
}

/** A second request for less of the same replaces the first. */
function merged(steps: readonly RemedyStep[]): readonly RemedyStep[] {
  const less = new Set(['ask-gpus', 'ask-cpu', 'ask-memory', 'ask-gpu-memory', 'ask-gpu-share']);
  return steps.filter(
    ({ step }, index) => !less.has(step) || !steps.slice(index + 1).some((later) => later.step === step),
  );
}

/** The cheapest of each kind, without those that only add to another. */
function differentPlans(plans: readonly Plan[]): readonly Plan[] {
  const chosen: { readonly plan: Plan; readonly kinds: ReadonlySet<string> }[] = [];
  for (const plan of plans.toSorted((left, right) => left.cost - right.cost)) {
    const kinds = new Set(plan.steps.map(({ step }) => step));
    if (!chosen.some((one) => one.kinds.isSubsetOf(kinds))) chosen.push({ plan, kinds });
  }
  return chosen.map(({ plan }) => plan);
}

/** That a node comes back says nothing of the state in which it does. */
function isCertain(steps: readonly RemedyStep[]): boolean {
  return steps.every(({ step }) => step !== 'reconnect');
}

const TRIED = 'tried';
/** Placements of a trial, what waited longer included. */
const MAX_TRIED = 1000;

function* startsThen(
  { node, shape }: Situation,
  { ahead }: RemedyQuestion,
  packing: FleetPacking,
): Sliced<boolean> {
  const mine = { key: `${TRIED} ${shapeKey(shape)}`, shape, workloadIds: [TRIED] };
  // The node only loses room while it is filled.
  const room = RoomBound.of(node);
  const mayFit = (group: PendingShape): boolean => room.mayTake(memberOf(group.shape));
  const first = yield* filtered(ahead, LOOKS_PER_SHAPE, mayFit);
  const plan = planningPlacements({ nodes: [node] }, [...first, mine], MAX_TRIED, packing);
  const { placements } = yield* plan;
  return placements.some(({ workloadId }) => workloadId === TRIED);
}
