import { formatDuration } from '@clawbernetes/kernel';
import { neverFits } from '../scheduler/fit.ts';
import { memberOf } from '../scheduler/gang/member-shape.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { RunningUnit } from '../scheduler/queues/running-unit.ts';
import { Evictions, type EvictionRefusal, type ThrashGuards } from '../scheduler/queues/victims.ts';
import { sliced, type Sliced } from '../scheduler/slices.ts';
import type { FleetMoment } from '../workload/fleet-moment.ts';
import type { QueueSituation } from './queue-situation.ts';
import { findRunning } from './running-work.ts';
import { waitingWork } from './waiting-work.ts';

export interface RoomQuestion {
  readonly moment: FleetMoment;
  readonly situation: QueueSituation;
  readonly workloadId: string;
  readonly group: QueuedShape;
}

/** Names that are told; the others are counted. */
const MAX_NAMED = 3;
/** Of one node that could be the place, and of one that runs, in looks. */
const LOOKS_PER_NODE = 1;
const LOOKS_PER_UNIT = 1;

/** What may be stopped for a workload that waits, and what is protected for how long; may be empty. */
export function* explainRoom({ moment, situation, workloadId, group }: RoomQuestion): Sliced<string> {
  const units = yield* unitsInPlace(moment, group);
  const { guards } = moment.queues.options.queues;
  const { nowMs, nameOf } = moment;
  const evictions = new Evictions({ ...situation, units, guards, nowMs });
  const work = waitingWork(workloadId, group, situation);
  yield* evictions.prepare(work);
  const found = new Map<EvictionRefusal | 'evictable', RunningUnit[]>();
  yield* sliced(units, LOOKS_PER_UNIT, (unit) => {
    const verdict = evictions.judge(work, unit);
    const key = verdict.evictable ? 'evictable' : verdict.because;
    const alike = found.get(key);
    if (alike) alike.push(unit);
    else found.set(key, [unit]);
  });
  const told = { nameOf, guards, nowMs };
  return [
    describeEvictable(found.get('evictable') ?? [], told),
    describeYoung(found.get('min-runtime') ?? [], told),
    describeCooling(found.get('cool-down') ?? [], told),
    describeCapped(found.get('preemption-cap') ?? [], told),
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}

/** What runs on nodes that could be the place. */
function* unitsInPlace(moment: FleetMoment, { shape }: QueuedShape): Sliced<readonly RunningUnit[]> {
  const member = memberOf(shape);
  const places = new Set<string>();
  yield* sliced(moment.nodes, LOOKS_PER_NODE, (node) => {
    if (node.schedulable && neverFits(node, member) === undefined) places.add(node.id);
  });
  const units: RunningUnit[] = [];
  const running = yield* findRunning(moment);
  yield* sliced(running.values(), LOOKS_PER_UNIT, ({ unit, attempts }) => {
    if (attempts.some(({ nodeId }) => places.has(nodeId))) units.push(unit);
  });
  return units;
}

interface Told {
  readonly nameOf: FleetMoment['nameOf'];
  readonly guards: ThrashGuards;
  readonly nowMs: number;
}

function describeEvictable(units: readonly RunningUnit[], told: Told): string {
  return units.length === 0
    ? ''
    : `${namesOf(units, told)} may be stopped for it where that makes enough room.`;
}

function describeYoung(units: readonly RunningUnit[], told: Told): string {
  const { guards, nowMs } = told;
  const ages = units.map((unit) => ({ unit, leastMs: unit.minRuntimeMs ?? guards.minRuntimeMs }));
  const [soonest] = ages.toSorted((one, other) => endOf(one) - endOf(other));
  if (!soonest) return '';
  const leftMs = Math.max(0, endOf(soonest) - nowMs);
  const others = units.length > 1 ? `, ${units.length - 1} more later` : '';
  return (
    `${namesOf([soonest.unit], told)} may be stopped for it once it has run for ` +
    `${formatDuration(soonest.leastMs)}, in ${formatDuration(leftMs)}${others}.`
  );
}

function endOf({ unit, leastMs }: { readonly unit: RunningUnit; readonly leastMs: number }): number {
  return unit.startedMs + leastMs;
}

function describeCooling(units: readonly RunningUnit[], told: Told): string {
  if (units.length === 0) return '';
  const ends = units.map(({ lastPreemptedMs = 0 }) => lastPreemptedMs + told.guards.coolDownMs);
  const leftMs = Math.max(0, Math.min(...ends) - told.nowMs);
  return `${namesOf(units, told)} made room for others lately: left alone for ${formatDuration(leftMs)} more.`;
}

function describeCapped(units: readonly RunningUnit[], told: Told): string {
  if (units.length === 0) return '';
  return `${namesOf(units, told)} made room for others ${told.guards.maxPreemptions} times: left alone from now on.`;
}

function namesOf(units: readonly RunningUnit[], { nameOf }: Told): string {
  const names = [...new Set(units.map(({ workloadId }) => nameOf(workloadId)))];
  const more = names.length - MAX_NAMED;
  if (more > 0) return `${names.slice(0, MAX_NAMED).join(', ')} and ${more} more`;
  const last = names.pop() ?? '';
  return names.length > 0 ? `${names.join(', ')} and ${last}` : last;
}
