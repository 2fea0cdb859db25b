import { BinaryHeap } from '@clawbernetes/kernel';
import type { StartEstimate } from '@clawbernetes/protocol';
import { fitNow, neverFits } from '../fit.ts';
import { milliOf } from '../gpu-fit.ts';
import { afterPlacement } from '../placement.ts';
import type { PendingShape } from '../plan.ts';
import type { Shape } from '../resources.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { withoutHolders, type Holder } from './holder.ts';

/** Ends of workloads that are looked ahead; beyond, nothing is foretold. */
const MAX_ENDS = 2000;
const NAMED = 3;

export interface StartQuestion {
  readonly nodes: readonly SnapshotNode[];
  readonly shape: Shape;
  /** In the order in which it is placed, the longest waiting first. */
  readonly ahead: readonly PendingShape[];
  readonly holdersOf: (nodeId: string) => readonly Holder[];
  /** Time limit of a workload that waits, with its grace, ms; absent = none. */
  readonly limitOf: (workloadId: string) => number | undefined;
  readonly nowMs: number;
}

interface End {
  readonly atMs: number;
  readonly graceMs: number;
  readonly holder: Holder;
}

const MINE = 'mine';

/**
 * When it starts if all that has a time limit runs to it, and those that have waited longer go first. A fleet
 * changes; so it is an estimate, and a range: from the limits until what is stopped then has ended, too.
 */
export function estimateStart(question: StartQuestion): StartEstimate {
  const { nodes, shape } = question;
  const able = nodes.filter((node) => node.schedulable && neverFits(node, shape) === undefined);
  if (able.length === 0)
    return { estimate: 'unknown', message: 'No node that is ready could take it even if it were empty.' };
  // Only what waits as well can be placed elsewhere; without it the other nodes do not matter.
  const found = new Foresight(question.ahead.length > 0 ? question : { ...question, nodes: able }).run();
  if (!found) return unknownStart(able, question);
  return {
    estimate: 'range',
    fromMs: found.atMs,
    toMs: found.atMs + found.graceMs,
    message: 'If what runs there uses all of its time; sooner if it ends sooner.',
  };
}

function unknownStart(able: readonly SnapshotNode[], { holdersOf }: StartQuestion): StartEstimate {
  const endless = able.flatMap(({ id, name }) =>
    holdersOf(id).flatMap((holder) => (holder.endsAtMs === undefined ? `${holder.name} on ${name}` : [])),
  );
  const rest = endless.length > NAMED ? ` and ${endless.length - NAMED} more` : '';
  const message =
    endless.length === 0
      ? 'What has waited longer takes the room that becomes free, and has no time limit or too long a one.'
      : `No time limit tells when enough becomes free: ${endless.slice(0, NAMED).join(', ')}${rest} ` +
        `${endless.length === 1 ? 'has' : 'have'} none (run --timeout).`;
  return { estimate: 'unknown', message };
}

/** The fleet as it will be, one end of a workload after the other. */
class Foresight {
  readonly #question: StartQuestion;
  readonly #nodes: Map<string, SnapshotNode>;
  readonly #ends = new BinaryHeap<End>((left, right) => left.atMs < right.atMs);
  #waiting: readonly PendingShape[];
  /** Less is free of GPUs than any that waits asks for, in thousandths: nothing needs to be tried. */
  #leastMilli = 0;

  constructor(question: StartQuestion) {
    this.#question = question;
    this.#nodes = new Map(question.nodes.map((node) => [node.id, node]));
    this.#waiting = [...question.ahead, { key: MINE, shape: question.shape, workloadIds: [MINE] }];
    this.#wait(this.#waiting);
    for (const { id } of question.nodes) for (const holder of question.holdersOf(id)) this.#expect(holder);
  }

  run(): End | undefined {
    for (let count = 0; count < MAX_ENDS; count += 1) {
      const end = this.#ends.first;
      if (!end) return undefined;
      this.#ends.pop();
      if (this.#after(end)) return end;
    }
    return undefined;
  }

  #wait(waiting: readonly PendingShape[]): void {
    this.#waiting = waiting;
    this.#leastMilli = waiting.reduce(
      (least, { shape }) => Math.min(least, shape.gpus * milliOf(shape)),
      Infinity,
    );
  }

  #expect(holder: Holder): void {
    const { endsAtMs, graceMs } = holder;
    if (endsAtMs !== undefined)
      this.#ends.push({ atMs: Math.max(endsAtMs, this.#question.nowMs), graceMs, holder });
  }

  /** Whether it is placed after this end: on the one node that has more room, in the order of the queue. */
  #after({ atMs, holder }: End): boolean {
    const before = this.#nodes.get(holder.nodeId);
    if (!before) return false;
    const node = withoutHolders(before, [holder]);
    this.#nodes.set(node.id, node);
    const isTooSmall = node.gpus.reduce((sum, gpu) => sum + gpu.freeMilli, 0) < this.#leastMilli;
    if (!node.schedulable || isTooSmall) return false;
    const placed = new Set<string>();
    for (const { shape, workloadIds } of this.#waiting)
      for (const workloadId of workloadIds) {
        if (!this.#place(node.id, shape, workloadId, atMs)) break;
        if (workloadId === MINE) return true;
        placed.add(workloadId);
      }
    if (placed.size > 0) this.#wait(without(this.#waiting, placed));
    return false;
  }

  /** Gives it room on the node, if there is enough, for as long as its time limit says. */
  #place(nodeId: string, shape: Shape, workloadId: string, atMs: number): boolean {
    const node = this.#nodes.get(nodeId);
    const devices = node && neverFits(node, shape) === undefined ? fitNow(node, shape) : undefined;
    if (!node || !devices) return false;
    this.#nodes.set(nodeId, afterPlacement(node, shape, devices));
    const limitMs = this.#question.limitOf(workloadId);
    const { cpuMilli, memoryMib } = shape;
    if (limitMs !== undefined) {
      const held = { devices, gpuMilli: milliOf(shape), cpuMilli, memoryMib };
      this.#expect({ workloadId, name: '', nodeId, ...held, endsAtMs: atMs + limitMs, graceMs: 0 });
    }
    return true;
  }
}

function without(waiting: readonly PendingShape[], placed: ReadonlySet<string>): readonly PendingShape[] {
  return waiting.flatMap((group) => {
    const workloadIds = group.workloadIds.filter((id) => !placed.has(id));
    return workloadIds.length > 0 ? [{ ...group, workloadIds }] : [];
  });
}
