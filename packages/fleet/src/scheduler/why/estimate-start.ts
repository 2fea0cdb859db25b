import { BinaryHeap } from '@clawbernetes/kernel';
import type { StartEstimate } from '@clawbernetes/protocol';
import { fitNow, neverFits } from '../fit.ts';
import { milliOf } from '../gpu-fit.ts';
import { afterPlacement } from '../placement.ts';
import type { PendingShape } from '../plan.ts';
import type { Shape } from '../resources.ts';
import { filtered, sliced, type Sliced } from '../slices.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { memberOf } from '../gang/member-shape.ts';
import { RoomBound } from '../room-bound.ts';
import type { Alike } from './alike.ts';
import { withoutHolders, type Held, type Holder } from './holder.ts';

/** Ends of workloads that are looked ahead, and places tried then; beyond, nothing is foretold. */
const MAX_ENDS = 2000;
const MAX_TRIES = 10_000;
const NAMED = 3;
// In looks: of one node with what runs there, of one end, of one that may start then, of one that is tried.
const LOOKS_PER_NODE = 2;
const LOOKS_PER_END = 2;
const LOOKS_PER_LINE = 0.02;
const LOOKS_PER_TRY = 10;

export interface StartQuestion {
  readonly nodes: readonly SnapshotNode[];
  readonly shape: Shape;
  /** In the order in which it is placed, the longest waiting first. */
  readonly ahead: readonly PendingShape[];
  readonly holdersOf: (nodeId: string) => readonly Holder[];
  /** Those of them that a time limit ends, told with less; absent = found among `holdersOf`. */
  readonly endsOf?: (nodeId: string) => readonly End[];
  /** How many there are; absent = counted among `holdersOf`. */
  readonly countOf?: (nodeId: string) => number;
  /** Time limit of a workload that waits, with its grace, ms; absent = none. */
  readonly limitOf: (workloadId: string) => number | undefined;
  readonly nowMs: number;
}

export interface End {
  readonly atMs: number;
  readonly graceMs: number;
  readonly holder: Held;
}

const MINE = 'mine';
/** Shapes of which all are placed that are passed over before they are left out. */
const MAX_THROUGH = 64;

/** What waits and asks for the same; so many of them, from the first, are placed. */
interface Line {
  readonly shape: Shape;
  readonly workloadIds: readonly string[];
  placed: number;
}

/**
 * When it starts if all that has a time limit runs to it, and those that have waited longer go first. A fleet
 * changes; so it is an estimate, and a range: from the limits until what is stopped then has ended, too.
 */
export function* estimateStart(question: StartQuestion, alike: readonly Alike[]): Sliced<StartEstimate> {
  const { shape } = question;
  const isAble = ({ example }: Alike): boolean =>
    example.schedulable && neverFits(example, shape) === undefined;
  const able = (yield* filtered(alike, LOOKS_PER_NODE, isAble)).flatMap(({ nodes }) => nodes);
  if (able.length === 0)
    return { estimate: 'unknown', message: 'No node that is ready could take it even if it were empty.' };
  // Only what waits as well can be placed elsewhere; without it the other nodes do not matter.
  const foresight = new Foresight(question.ahead.length > 0 ? question : { ...question, nodes: able });
  yield* foresight.begin();
  const found = yield* foresight.run();
  if (!found) return foresight.isCutShort ? TOO_FAR : yield* unknownStart(able, question, foresight.endsOn);
  return {
    estimate: 'range',
    fromMs: found.atMs,
    toMs: found.atMs + found.graceMs,
    message: 'If what runs there uses all of its time; sooner if it ends sooner.',
  };
}

const TOO_FAR: StartEstimate = {
  estimate: 'unknown',
  message: 'Too much ends and starts before it to foretell when enough is left for it.',
};

/** @param endsOn how many of those on a node have an end; absent = none. */
function* unknownStart(
  able: readonly SnapshotNode[],
  { holdersOf, countOf }: StartQuestion,
  endsOn: ReadonlyMap<string, number>,
): Sliced<StartEstimate> {
  const named: string[] = [];
  let endless = 0;
  yield* sliced(able, LOOKS_PER_NODE, ({ id, name }) => {
    if (named.length >= NAMED && countOf) {
      endless += countOf(id) - (endsOn.get(id) ?? 0);
      return;
    }
    const without = holdersOf(id).filter(({ endsAtMs }) => endsAtMs === undefined);
    endless += without.length;
    named.push(...without.map((holder) => `${holder.name} on ${name}`));
  });
  const rest = endless > NAMED ? ` and ${endless - NAMED} more` : '';
  const message =
    endless === 0
      ? 'What has waited longer takes the room that becomes free, and has no time limit or too long a one.'
      : `No time limit tells when enough becomes free: ${named.slice(0, NAMED).join(', ')}${rest} ` +
        `${endless === 1 ? 'has' : 'have'} none (run --timeout).`;
  return { estimate: 'unknown', message };
}

function endsAmong(holders: readonly Holder[]): readonly End[] {
  return holders.flatMap((holder) => {
    const { endsAtMs: atMs, graceMs } = holder;
    return atMs === undefined ? [] : [{ atMs, graceMs, holder }];
  });
}

/** The fleet as it will be, one end of a workload after the other. */
class Foresight {
  readonly #question: StartQuestion;
  readonly #nodes = new Map<string, SnapshotNode>();
  /** By node, as far as there are any: how many ends are declared there. */
  readonly endsOn = new Map<string, number>();
  readonly #ends = new BinaryHeap<End>((left, right) => left.atMs < right.atMs);
  #waiting: readonly Line[] = [];
  /** Lines of which all are placed. */
  #through = 0;
  #triesLeft = MAX_TRIES;
  #endsLeft = MAX_ENDS;
  /** Less is free of GPUs than any that waits asks for, in thousandths: nothing needs to be tried. */
  #leastMilli = 0;

  constructor(question: StartQuestion) {
    this.#question = question;
    const { ahead, shape } = question;
    this.#wait([...ahead, { shape, workloadIds: [MINE] }].map((group) => ({ ...group, placed: 0 })));
  }

  /** Takes account of what runs. */
  *begin(): Sliced<void> {
    const { nodes, holdersOf, endsOf = (nodeId) => endsAmong(holdersOf(nodeId)) } = this.#question;
    yield* sliced(nodes, LOOKS_PER_NODE, (node) => {
      this.#nodes.set(node.id, node);
      const ends = endsOf(node.id);
      for (const end of ends) this.#expect(end);
      if (ends.length > 0) this.endsOn.set(node.id, ends.length);
    });
  }

  /** Whether it stopped before all ends were looked at. */
  get isCutShort(): boolean {
    return this.#endsLeft === 0 || this.#triesLeft <= 0;
  }

  *run(): Sliced<End | undefined> {
    while (!this.isCutShort) {
      const end = this.#ends.first;
      if (!end) return undefined;
      const triesBefore = this.#triesLeft;
      this.#ends.pop();
      this.#endsLeft -= 1;
      if (this.#after(end)) return end;
      const tries = triesBefore - this.#triesLeft;
      yield LOOKS_PER_END + LOOKS_PER_LINE * this.#waiting.length + LOOKS_PER_TRY * tries;
    }
    return undefined;
  }

  #wait(waiting: readonly Line[]): void {
    this.#waiting = waiting;
    this.#through = 0;
    this.#leastMilli = waiting.reduce(
      (least, { shape }) => Math.min(least, shape.gpus * milliOf(shape)),
      Infinity,
    );
  }

  #expect({ atMs, graceMs, holder }: End): void {
    this.#ends.push({ atMs: Math.max(atMs, this.#question.nowMs), graceMs, holder });
  }

  /** Whether it is placed after this end: on the one node that has more room, in the order of the queue. */
  #after({ atMs, holder }: End): boolean {
    const before = this.#nodes.get(holder.nodeId);
    if (!before) return false;
    const node = withoutHolders(before, [holder]);
    this.#nodes.set(node.id, node);
    if (!node.schedulable || this.#isTooSmall(node)) return false;
    let room = RoomBound.of(node);
    for (const line of this.#waiting) {
      if (line.placed === line.workloadIds.length || !room.mayTake(memberOf(line.shape))) continue;
      this.#triesLeft -= 1;
      const filled = this.#placeAll(node.id, line, atMs);
      if (filled === 'mine') return true;
      if (filled) room = RoomBound.of(filled);
    }
    // Seldom, since it is work in proportion to all that waits.
    if (this.#through > MAX_THROUGH)
      this.#wait(this.#waiting.filter(({ placed, workloadIds }) => placed < workloadIds.length));
    return false;
  }

  /** As many of one shape as fit on the node: the node with them. */
  #placeAll(nodeId: string, line: Line, atMs: number): SnapshotNode | 'mine' | undefined {
    let last: SnapshotNode | undefined;
    for (const workloadId of line.workloadIds.slice(line.placed)) {
      const filled = this.#place(nodeId, line.shape, workloadId, atMs);
      if (!filled) return last;
      if (workloadId === MINE) return 'mine';
      line.placed += 1;
      last = filled;
    }
    this.#through += 1;
    return last;
  }

  #isTooSmall({ gpus }: SnapshotNode): boolean {
    return gpus.reduce((sum, gpu) => sum + gpu.freeMilli, 0) < this.#leastMilli;
  }

  /** Gives it room on the node, if there is enough, for as long as its time limit says: the node with it. */
  #place(nodeId: string, shape: Shape, workloadId: string, atMs: number): SnapshotNode | undefined {
    const node = this.#nodes.get(nodeId);
    const devices = node && neverFits(node, shape) === undefined ? fitNow(node, shape) : undefined;
    if (!node || !devices) return undefined;
    const filled = afterPlacement(node, shape, devices);
    this.#nodes.set(nodeId, filled);
    const limitMs = this.#question.limitOf(workloadId);
    const { cpuMilli, memoryMib } = shape;
    if (limitMs !== undefined) {
      const holder = { nodeId, devices, gpuMilli: milliOf(shape), cpuMilli, memoryMib };
      this.#expect({ atMs: atMs + limitMs, graceMs: 0, holder });
    }
    return filled;
  }
}
