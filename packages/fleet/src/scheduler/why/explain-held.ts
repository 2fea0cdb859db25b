import type { StartEstimate, WaitExplanation } from '@clawbernetes/protocol';
import { describeShape, type Waiting } from '../explain.ts';
import { hasRoomNow, neverFits } from '../fit.ts';
import { FleetTopology } from '../gang/fleet-topology.ts';
import { isGang, memberOf, type ShapeOfGang } from '../gang/member-shape.ts';
import { gangFleet, planShape } from '../gang/place-gang.ts';
import type { Shape } from '../resources.ts';
import { atOnce, filtered, sliced, type Sliced } from '../slices.ts';
import type { ReservedSpan, SnapshotNode } from '../snapshot.ts';
import { spanText } from './reserved-words.ts';

const NAMED = 3;
// Of one node, in looks: where something is reserved more is to be looked at.
const LOOKS_PER_NODE = 0.2;
const LOOKS_PER_RESERVED = 2;

/** What keeps a shape from room that is there: the reservation that is over first before the others. */
type InWay = readonly ReservedSpan[];

/** If there would be room but for reservations: which they are. */
export function explainHeld(nodes: readonly SnapshotNode[], shape: Shape): Waiting | undefined {
  const spans = atOnce(inWay(nodes, shape));
  return spans && describeHeld(spans, shape);
}

function describeHeld(spans: InWay, shape: Shape): Waiting {
  const needs = isGang(shape)
    ? `${shape.gang.members.min} × ${describeShape(memberOf(shape))}`
    : `${describeShape(shape)} on one node`;
  const named = spans.slice(0, NAMED).map(spanText).join(', ');
  const rest = spans.length > NAMED ? ` and ${spans.length - NAMED} more` : '';
  return { reason: 'held', message: `It needs ${needs}; there is room, but it is held by ${named}${rest}.` };
}

/** The same for an explanation that knows nothing of reservations; it stays where they are not the reason. */
export function* withReservations(
  explained: WaitExplanation,
  nodes: readonly SnapshotNode[],
  shape: Shape,
  nowMs: number,
): Sliced<WaitExplanation> {
  const isRoomNow = explained.start.toMs !== undefined && explained.start.toMs <= nowMs;
  const spans = isRoomNow ? undefined : yield* inWay(nodes, shape);
  if (!spans) return explained;
  const start = sooner(explained.start, startAfter(spans, nowMs));
  return { ...explained, ...describeHeld(spans, shape), start };
}

function* inWay(nodes: readonly SnapshotNode[], shape: Shape): Sliced<InWay | undefined> {
  const isReserved = (node: SnapshotNode): boolean => node.reserved !== undefined && node.schedulable;
  const reserved = yield* filtered(nodes, LOOKS_PER_NODE, isReserved);
  if (reserved.length === 0) return undefined;
  if (isGang(shape)) return (yield* gangFits(nodes, shape)) ? spansOf(reserved) : undefined;
  const able = yield* filtered(reserved, LOOKS_PER_RESERVED, (node) => isHeldFrom(node, shape));
  return able.length > 0 ? spansOf(able) : undefined;
}

function isHeldFrom({ reserved }: SnapshotNode, shape: Shape): boolean {
  if (!reserved || neverFits(reserved.without, shape) !== undefined) return false;
  return hasRoomNow(reserved.without, shape);
}

function* gangFits(nodes: readonly SnapshotNode[], shape: ShapeOfGang): Sliced<boolean> {
  const topology = new FleetTopology();
  yield* sliced(nodes, LOOKS_PER_RESERVED, (node) => topology.put(node.reserved?.without ?? node));
  return planShape(topology, gangFleet(topology, shape), shape).kind === 'plan';
}

function spansOf(nodes: readonly SnapshotNode[]): InWay {
  const spans = new Map(nodes.flatMap(({ reserved }) => reserved?.by ?? []).map((span) => [span.name, span]));
  return [...spans.values()].toSorted((one, other) => one.untilMs - other.untilMs);
}

/** When the first of them gives its part back. */
function startAfter([first]: InWay, nowMs: number): StartEstimate | undefined {
  if (!first) return undefined;
  const atMs = Math.max(nowMs, first.untilMs);
  const what = first.untilMs === first.startMs ? 'has begun' : 'is over';
  const message = `Once reservation ${first.name} ${what}, if nothing takes the room before.`;
  return { estimate: 'range', fromMs: atMs, toMs: atMs, message };
}

function sooner(start: StartEstimate, after: StartEstimate | undefined): StartEstimate {
  if (after?.fromMs === undefined) return start;
  return start.fromMs !== undefined && start.fromMs <= after.fromMs ? start : after;
}
