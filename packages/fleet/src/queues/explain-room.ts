import { formatDuration } from '@clawbernetes/kernel';
import type { FleetCore } from '../fleet-core.ts';
import { neverFits } from '../scheduler/fit.ts';
import { memberOf } from '../scheduler/gang/member-shape.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { RunningUnit } from '../scheduler/queues/running-unit.ts';
import { Evictions, type EvictionRefusal, type ThrashGuards } from '../scheduler/queues/victims.ts';
import type { QueueSituation } from './queue-situation.ts';
import { runningWork } from './running-work.ts';
import { waitingWork } from './waiting-work.ts';

export interface RoomQuestion {
  readonly core: FleetCore;
  readonly situation: QueueSituation;
  readonly workloadId: string;
  readonly group: QueuedShape;
  readonly nameOf: (workloadId: string) => string;
}

/** Names that are told; the others are counted. */
const MAX_NAMED = 3;

/** What may be stopped for a workload that waits, and what is protected for how long; may be empty. */
export function explainRoom({ core, situation, workloadId, group, nameOf }: RoomQuestion): string {
  const isPlace = places(core, group);
  const running = [...runningWork(core).values()].filter(({ attempts }) =>
    attempts.some(({ nodeId }) => isPlace(nodeId)),
  );
  const units = running.map(({ unit }) => unit);
  const { guards } = core.options.queues;
  const nowMs = core.clock.nowMs();
  const evictions = new Evictions({ ...situation, units, guards, nowMs });
  const work = waitingWork(workloadId, group, situation);
  const found = new Map<EvictionRefusal | 'evictable', RunningUnit[]>();
  for (const unit of units) {
    const verdict = evictions.judge(work, unit);
    const key = verdict.evictable ? 'evictable' : verdict.because;
    const alike = found.get(key);
    if (alike) alike.push(unit);
    else found.set(key, [unit]);
  }
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

/** Whether a node could be the place; each is looked at once. */
function places({ nodes }: FleetCore, { shape }: QueuedShape): (nodeId: string) => boolean {
  const member = memberOf(shape);
  const known = new Map<string, boolean>();
  return (nodeId) => {
    const found = known.get(nodeId);
    if (found !== undefined) return found;
    const node = nodes.node(nodeId);
    const view = node && nodes.view(node);
    const isPlace = view?.schedulable === true && neverFits(view, member) === undefined;
    known.set(nodeId, isPlace);
    return isPlace;
  };
}

interface Told {
  readonly nameOf: RoomQuestion['nameOf'];
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
