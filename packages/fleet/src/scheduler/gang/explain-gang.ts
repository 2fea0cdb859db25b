import type { Remedy, WaitExplanation } from '@clawbernetes/protocol';
import { describeShape, explainWait, type Explained, type Waiting } from '../explain.ts';
import { membersThatFit } from '../fit.ts';
import type { Shape } from '../resources.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { sliced, type Sliced } from '../slices.ts';
import { ROOT } from '../topology/topology-tree.ts';
import { alikeFor, gatherAlike } from '../why/alike.ts';
import type { WaitQuestion } from '../why/explain-waiting.ts';
import { describeSteps } from '../why/remedy-words.ts';
import { surveyNodes } from '../why/survey.ts';
import { describeRefusal } from './describe-refusal.ts';
import { FleetTopology } from './fleet-topology.ts';
import type { GangFleet } from './gang-demand.ts';
import type { GangPlan, GangRefusal } from './gang-plan.ts';
import { memberOf, type ShapeOfGang } from './member-shape.ts';
import { refusalOfPart } from './part-refusal.ts';
import { planGang } from './plan-gang.ts';
import { gangFleet, looksOfGang, planShape, valuesOf } from './place-gang.ts';
import { spreadRoom } from './spread-room.ts';

/** How many members a node of the topology could take if it were empty and took work. */
type RoomWhenEmpty = (node: number) => number;

/** Why a gang that has no place now has to wait, most fundamental reason first. */
export function explainGang(
  { alike, unapproved }: Explained,
  shape: ShapeOfGang,
  topology: FleetTopology,
  emptyRoom?: RoomWhenEmpty,
): Waiting {
  const member = memberOf(shape);
  // Nodes that differ by parts are many, and need not be told apart where one has room.
  const isRoomy = member.within !== undefined && (topology.capacity(member).members[ROOT] ?? 0) > 0;
  const groups = isRoomy ? [] : alikeFor(member, alike);
  const ofOne =
    isRoomy || groups.some(({ example }) => membersThatFit(example, member) > 0)
      ? undefined
      : explainWait({ alike: groups, unapproved }, member);
  // What not even one member finds is no question of how many there are.
  if (ofOne && ofOne.reason !== 'waiting-for-capacity') return { ...ofOne, message: forEach(ofOne.message) };
  return explainRefusal(topology, shape, emptyRoom ?? roomWhenEmpty(topology, member));
}

function forEach(message: string): string {
  return `Of each member: ${message}`;
}

function explainRefusal(topology: FleetTopology, shape: ShapeOfGang, emptyRoom: RoomWhenEmpty): Waiting {
  const member = memberOf(shape);
  const fleet = { ...gangFleet(topology, shape), roomWhenEmpty: emptyRoom };
  const { spread, within: _within, ...demand } = shape.gang;
  const plan = planGang(fleet, demand);
  const needs = `Each member needs ${describeShape(member)}.`;
  if (plan.kind === 'refusal') {
    const { within } = member;
    const refusal = within ? refusalOfPart(topology, fleet, member, { refusal: plan, emptyRoom }) : plan;
    return { reason: refusal.reason, message: `${describeRefusal(refusal, within)} ${needs}` };
  }
  if (spread && planShape(topology, fleet, shape).kind === 'refusal')
    return explainSpread(topology, fleet, shape);
  return { reason: 'waiting-for-capacity', message: 'There is room for it now; it starts in its turn.' };
}

function roomWhenEmpty(topology: FleetTopology, member: Shape): RoomWhenEmpty {
  return (number) => membersThatFit(whenEmpty(topology.view(number)), member);
}

/** The same, found in pieces for all nodes. */
function* findRoomWhenEmpty(topology: FleetTopology, member: Shape): Sliced<RoomWhenEmpty> {
  const { tree } = topology;
  const roomOf = roomWhenEmpty(topology, member);
  const room = new Int32Array(tree.nodeSlots);
  yield* sliced(room.keys(), LOOKS_PER_NODE, (node) => {
    if (tree.has(node)) room[node] = roomOf(node);
  });
  return (node) => room[node] ?? 0;
}

function whenEmpty(view: SnapshotNode): SnapshotNode {
  const { empty = view } = view;
  return { ...empty, schedulable: true, empty };
}

/** It would fit, but not as evenly as it must be. */
function explainSpread(topology: FleetTopology, fleet: GangFleet, shape: ShapeOfGang): Waiting {
  const { spread, members } = shape.gang;
  const member = memberOf(shape);
  if (!spread) return { reason: 'topology', message: '' };
  const valueOf = valuesOf(topology, member, spread.by);
  const room = new Map<string, number>();
  for (let node = 0; node < fleet.tree.nodeSlots; node += 1) {
    const value = fleet.tree.has(node) ? valueOf(node) : undefined;
    if (value !== undefined) room.set(value, (room.get(value) ?? 0) + (fleet.room[node] ?? 0));
  }
  const tightest = [...room].reduce<readonly [string, number] | undefined>(
    (least, one) => (least && least[1] <= one[1] ? least : one),
    undefined,
  );
  const empty = Int32Array.from(fleet.room, (_, node) =>
    fleet.tree.has(node) ? membersThatFit(whenEmpty(topology.view(node)), member) : 0,
  );
  const waits = spreadRoom({ tree: fleet.tree, room: empty, valueOf }, shape.gang, spread);
  const where = tightest
    ? `${spread.by} ${tightest[0]} has room for ${tightest[1]}, the least of ${room.size}`
    : `no node that could take one has the label ${spread.by}`;
  const help = waits ? 'It starts when there is room.' : 'Not even an empty fleet has.';
  return {
    reason: waits ? 'topology' : 'never-fits',
    message:
      `It needs ${members.min} members with at most ${spread.maxSkew} more in one ${spread.by} than in another; ${where}. ` +
      `${help} Allow a larger skew (--max-skew), or only prefer to spread (--spread-by ${spread.by}=preferred).`,
  };
}

/** Of one node that is put into its place or looked at as if it were empty, in looks. */
const LOOKS_PER_NODE = 2;

/**
 * Why a gang waits, and the smallest changes of what it asks for with which it would start: each was tried.
 */
export function* explainingGangWait(
  question: WaitQuestion & { readonly shape: ShapeOfGang },
): Sliced<WaitExplanation> {
  const { nodes, unapproved, shape, ahead, likenessOf } = question;
  const member = memberOf(shape);
  const alike = alikeFor(member, yield* gatherAlike(nodes, likenessOf));
  const topology = new FleetTopology();
  yield* sliced(nodes, LOOKS_PER_NODE, (node) => topology.put(node));
  const looks = looksOfGang(topology);
  const fleet = gangFleet(topology, shape);
  yield looks;
  const plan = planShape(topology, fleet, shape);
  yield looks;
  const hasRoom = plan.kind === 'plan';
  const empty = hasRoom ? undefined : yield* findRoomWhenEmpty(topology, member);
  const why = explainGang({ alike, unapproved }, shape, topology, empty);
  yield looks;
  return {
    ...why,
    nodes: nodes.length,
    obstacles: [...(yield* surveyNodes(alike, member)).counts],
    remedies: hasRoom ? [] : [...(yield* gangRemedies(topology, shape, looks))],
    ahead: ahead.reduce((sum, { workloadIds }) => sum + workloadIds.length, 0),
    start: hasRoom
      ? { estimate: 'range', fromMs: question.nowMs, toMs: question.nowMs, message: 'There is room now.' }
      : { estimate: 'unknown', message: 'When so many members will fit at once is not foretold.' },
  };
}

function* gangRemedies(
  topology: FleetTopology,
  shape: ShapeOfGang,
  looks: number,
): Sliced<readonly Remedy[]> {
  const { gang } = shape;
  const remedies: Remedy[] = [];
  const tried = (changed: ShapeOfGang['gang']): GangPlan | GangRefusal => {
    const asked = { ...shape, gang: changed };
    return planShape(topology, gangFleet(topology, asked), asked);
  };
  const { topology: near, within, spread, members } = gang;
  if (near?.rule === 'required') {
    const preferred = tried({
      ...gang,
      topology: { ...near, rule: 'preferred' },
      ...(within ? { within: { ...within, rule: 'preferred' } } : {}),
    });
    const level = within?.level ?? near.level;
    if (preferred.kind === 'plan') remedies.push(remedy(shape, { step: 'ask-topology', level }));
    yield looks;
  }
  if (spread?.rule === 'required') {
    const preferred = tried({ ...gang, spread: { ...spread, rule: 'preferred' } });
    if (preferred.kind === 'plan') remedies.push(remedy(shape, { step: 'ask-spread', label: spread.by }));
    yield looks;
  }
  const fewer = tried({ ...gang, members: { min: 1, max: members.min } });
  if (fewer.kind === 'plan') remedies.push(remedy(shape, { step: 'ask-members', members: fewer.members }));
  yield looks;
  return remedies;
}

function remedy(shape: ShapeOfGang, step: Remedy['steps'][number]): Remedy {
  return { steps: [step], message: describeSteps([step], shape), commands: [], certain: true };
}
