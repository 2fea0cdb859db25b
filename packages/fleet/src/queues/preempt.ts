import { present } from '@clawbernetes/kernel';
import type { FleetCore } from '../fleet-core.ts';
import type { WorkloadRecord } from '../records.ts';
import type { RunningUnit } from '../scheduler/queues/running-unit.ts';
import type { Victim } from '../scheduler/queues/victims.ts';
import type { WaitingWork } from '../scheduler/queues/workload-order.ts';
import { evict } from '../workload/evict.ts';
import { releaseGang } from '../workload/gang/settle-gang.ts';
import type { RunningWork } from './running-work.ts';

export interface Preemption {
  readonly work: WaitingWork;
  /** Of the workload that waits. */
  readonly name: string;
  /** The core of a gang before what it has grown by. */
  readonly victims: readonly Victim[];
  readonly running: ReadonlyMap<string, RunningWork>;
}

/** Stops what makes room. Answers how long that may take, ms. */
export function preempt(core: FleetCore, preemption: Preemption): number {
  let graceMs = 0;
  for (const workloadId of new Set(preemption.victims.map(({ unit }) => unit.workloadId)))
    graceMs = Math.max(graceMs, note(core, workloadId).spec.stopGraceMs);
  for (const victim of preemption.victims) stop(core, preemption, victim);
  return graceMs;
}

/** Counts it, once for each workload. */
function note(core: FleetCore, workloadId: string): WorkloadRecord {
  const workload = present(core.workloads.workload(workloadId), 'the workload of a victim');
  const preempted = {
    ...workload,
    preemptions: (workload.preemptions ?? 0) + 1,
    lastPreemptedMs: core.clock.nowMs(),
  };
  core.workloads.putWorkload(preempted);
  core.writer.writeWorkload(preempted, { first: false });
  return preempted;
}

function stop(core: FleetCore, { work, name, running }: Preemption, { unit, ground }: Victim): void {
  const message = `${name} (queue ${work.queue}) ${reasonFor(work, unit, ground)}`;
  const { attempts } = present(running.get(unit.id), 'what a victim runs');
  if (unit.id !== unit.workloadId) {
    for (const { id } of attempts) {
      const attempt = present(core.workloads.attempt(id), 'a victim');
      evict(core, attempt, 'preemptor', message, { by: work.id, ground });
    }
    return;
  }
  const gang = present(core.workloads.workload(unit.workloadId), 'the workload of a victim');
  releaseGang(core, gang, { next: 'queue', cause: 'preemptor', message: message.replace(/\.$/, '') });
}

function reasonFor(work: WaitingWork, unit: RunningUnit, ground: Victim['ground']): string {
  if (ground === 'priority')
    return `of priority ${work.priority} takes its place; its own is ${unit.priority}.`;
  const right = ground === 'share' ? 'fair share' : 'guarantee';
  return `takes back what queue ${work.queue} is entitled to by its ${right}.`;
}
