import { assert, newId, present } from '@clawbernetes/kernel';
import { commitAttempt, orderNode, type FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import { fitNow, neverFits } from '../scheduler/fit.ts';
import { planPlacements, type Placement } from '../scheduler/plan.ts';
import { settleWorkload } from './settle-workload.ts';

/** Applies plans: the one serial place where work gets its node, after everything was checked again. */
export class Placer {
  readonly #core: FleetCore;
  /** Shapes that found no place since capacity last changed: trying them again cannot help. */
  readonly #blocked = new Set<string>();

  constructor(core: FleetCore) {
    this.#core = core;
  }

  capacityChanged(): void {
    this.#blocked.clear();
  }

  /** Plans and applies once; answers whether the turn's limit was reached and more may fit. */
  run(): boolean {
    const { pending, nodes, options } = this.#core;
    const limit = options.placementsPerTurn;
    const shapes = pending.pending(limit).filter(({ key }) => !this.#blocked.has(key));
    if (shapes.length === 0) return false;
    const plan = planPlacements({ nodes: nodes.snapshot() }, shapes, limit);
    for (const key of plan.waiting.keys()) this.#blocked.add(key);
    pending.explain(plan.waiting);
    for (const placement of plan.placements) this.#apply(placement);
    return plan.placements.length >= limit;
  }

  #apply({ workloadId, nodeId, devices, shape, trace }: Placement): void {
    const { workloads, nodes, pending, clock, random } = this.#core;
    const workload = present(workloads.workload(workloadId), 'a placed workload');
    const node = present(nodes.node(nodeId), 'the node of a placement');
    const view = nodes.view(node);
    assert(
      view.schedulable && neverFits(view, shape) === undefined,
      'a placement goes to a node that may take it',
    );
    assert(fitNow(view, shape) !== undefined, 'a placement fits its node when it is applied');
    assert(
      devices.every((id) => view.gpus.some((gpu) => gpu.id === id && gpu.free)),
      'a placed GPU is free',
    );
    pending.remove(workloadId);
    const attempt: AttemptRecord = {
      id: newId('at', clock, random),
      workloadId,
      namespace: workload.namespace,
      number: workload.attempts + 1,
      nodeId,
      devices,
      cpuMilli: shape.cpuMilli,
      memoryMib: shape.memoryMib,
      epoch: this.#core.nextEpoch(),
      state: 'placed',
      revision: 0,
      limitations: [],
      placedAtMs: clock.nowMs(),
      logEnd: 0,
    };
    const why = `${workload.name} was placed on ${node.name}, the tightest fit of ${trace.candidates}.`;
    commitAttempt(this.#core, attempt, 'scheduler', why);
    settleWorkload(this.#core, { ...workload, attempts: attempt.number }, 'scheduler');
    orderNode(this.#core, nodeId, { kind: 'start', attempt, workload });
  }
}
