import { present } from '@clawbernetes/kernel';
import type { Cause } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord, NodeRecord } from '../records.ts';
import { describeTaint, expelling } from '../scheduler/node-constraints.ts';
import { evict } from '../workload/evict.ts';
import { movesWork } from './gpu-condition.ts';
import { conditionOf, deviceOf, gpuName } from './instance-condition.ts';

interface Ground {
  readonly cause: Cause;
  readonly message: string;
}

/**
 * Takes work off nodes where it must not be: taints that expel it, GPUs that are broken, drains past their
 * deadline.
 */
export class Clearance {
  readonly #core: FleetCore;
  readonly #mayMove: () => boolean;
  /** Of drains, on the monotonic clock: setting the machine's clock ends no work. */
  readonly #deadlines = new Map<string, { readonly atMs: number; readonly monotonicMs: number }>();

  constructor(core: FleetCore, { mayMove }: { readonly mayMove: () => boolean }) {
    this.#core = core;
    this.#mayMove = mayMove;
  }

  /** Does what is due on this node; safe to repeat. */
  run(node: NodeRecord): void {
    if (!this.#concerns(node) || !this.#mayMove()) return;
    const live = this.#core.workloads.liveOn(node.id);
    for (const attempt of live) {
      const ground = this.#mustLeave(node, attempt);
      if (ground) evict(this.#core, attempt, ground.cause, ground.message);
    }
    if (this.#isOverdue(node)) this.#empty(node);
  }

  /** Whether there can be anything to do: nearly always not, and that is told cheaply. */
  #concerns({ taints, gpuConditions, drain }: NodeRecord): boolean {
    return Boolean(taints?.length || gpuConditions || drain?.deadlineAtMs !== undefined);
  }

  #mustLeave(node: NodeRecord, attempt: AttemptRecord): Ground | undefined {
    const { tolerations = [] } = present(
      this.#core.workloads.workload(attempt.workloadId),
      'the workload of an attempt',
    ).spec;
    const [taint] = expelling(node.taints ?? [], tolerations);
    if (taint) return { cause: 'user', message: `${node.name} has the taint ${describeTaint(taint)}.` };
    for (const id of attempt.devices) {
      const gpu = deviceOf(node, id);
      const condition = gpu && conditionOf(node, gpu);
      if (!condition || !movesWork(condition)) continue;
      return {
        cause: 'health',
        message: `${gpuName(node, gpu)} of ${node.name} is ${condition.state}: ${condition.message}`,
      };
    }
    return undefined;
  }

  #isOverdue({ id, drain }: NodeRecord): boolean {
    if (drain?.deadlineAtMs === undefined) return false;
    const { clock } = this.#core;
    let deadline = this.#deadlines.get(id);
    if (deadline?.atMs !== drain.deadlineAtMs) {
      const leftMs = Math.max(0, drain.deadlineAtMs - clock.nowMs());
      deadline = { atMs: drain.deadlineAtMs, monotonicMs: clock.monotonicMs() + leftMs };
      this.#deadlines.set(id, deadline);
    }
    return clock.monotonicMs() >= deadline.monotonicMs;
  }

  #empty(node: NodeRecord): void {
    const live = this.#core.workloads.liveOn(node.id);
    const moving = live.filter(({ evicted }) => evicted).length;
    const next = live.filter(({ evicted }) => !evicted);
    const room = Math.max(0, (node.drain?.maxParallel ?? 1) - moving);
    for (const attempt of next.slice(0, room))
      evict(this.#core, attempt, 'user', `${node.name} is drained and the deadline has passed.`);
  }
}
