import { assert } from '@clawbernetes/kernel';
import { amountOf, describeAmount, Tally, type Amounts, type Dimension } from './amounts.ts';
import type { Queue, QueueTree } from './queue-tree.ts';
import type { Worth } from './worth.ts';

/** A queue that keeps work from starting now. */
export interface QueueStop {
  readonly queue: string;
  /** `limit`: of all work. `guarantee`: of work that may not be preempted, which must not borrow. */
  readonly rule: 'limit' | 'guarantee';
  readonly dimension: Dimension;
  readonly allowed: number;
  readonly used: number;
  readonly asked: number;
  /** It can never start, however empty the queue is. */
  readonly never: boolean;
}

/** What runs in each queue and all below it, kept while work starts and ends. */
export class QueueUsage {
  readonly #tree: QueueTree;
  readonly #worth: Worth;
  readonly #used: Tally;
  readonly #firm: Tally;

  /** @param from usage of the same tree, to be copied. */
  constructor(tree: QueueTree, worth: Worth, from?: QueueUsage) {
    this.#tree = tree;
    this.#worth = worth;
    this.#used = new Tally(from ? from.#used : undefined);
    this.#firm = new Tally(from ? from.#firm : undefined);
  }

  /** As it is now. */
  copy(): QueueUsage {
    return new QueueUsage(this.#tree, this.#worth, this);
  }

  /** Never refuses: what runs is counted, also where limits were lowered under it. */
  charge(queue: string, vector: Amounts, preemptible: boolean): void {
    this.#move(queue, vector, preemptible, 1);
  }

  refund(queue: string, vector: Amounts, preemptible: boolean): void {
    this.#move(queue, vector, preemptible, -1);
  }

  used(queue: string): Amounts {
    return this.#used.of(queue);
  }

  /** The part of `used` that may not be preempted. */
  firm(queue: string): Amounts {
    return this.#firm.of(queue);
  }

  /**
   * The first queue, from the work's own upwards, that has no room for it, or that never will; undefined if
   * it may start.
   */
  stopOf(queue: string, asked: Amounts, preemptible: boolean): QueueStop | undefined {
    let first: QueueStop | undefined;
    for (const one of this.#tree.leaf(queue).path) {
      for (const stop of this.#stops(one, asked, preemptible)) {
        if (stop.never) return stop;
        first ??= stop;
      }
    }
    return first;
  }

  /** Whether it still asks for more than there is, by numbers alone. */
  isOver(stop: QueueStop): boolean {
    const now = this.asOfNow(stop);
    return now !== undefined && now.used + now.asked > now.allowed;
  }

  /** The same stop with what is used now; undefined if there is no such limit any more. */
  asOfNow(stop: QueueStop): QueueStop | undefined {
    const { queue, rule, dimension, asked } = stop;
    const { limit, guaranteed } = this.#tree.get(queue);
    const isLimit = rule === 'limit';
    const used = amountOf(isLimit ? this.used(queue) : this.firm(queue), dimension);
    const allowed = isLimit ? limit.get(dimension) : amountOf(guaranteed, dimension);
    return allowed === undefined ? undefined : { ...stop, used, allowed, never: asked > allowed };
  }

  #stops({ name, limit, guaranteed }: Queue, asked: Amounts, preemptible: boolean): readonly QueueStop[] {
    const stops: QueueStop[] = [];
    for (const [dimension, allowed] of limit) {
      const used = amountOf(this.used(name), dimension);
      const stop = stopIn(dimension, allowed, used, amountOf(asked, dimension));
      if (stop) stops.push({ queue: name, rule: 'limit', ...stop });
    }
    if (preemptible) return stops;
    for (const [dimension, amount] of this.#worth.governed(asked)) {
      const allowed = amountOf(guaranteed, dimension);
      const stop = stopIn(dimension, allowed, amountOf(this.firm(name), dimension), amount);
      if (stop) stops.push({ queue: name, rule: 'guarantee', ...stop });
    }
    return stops;
  }

  #move(queue: string, vector: Amounts, preemptible: boolean, sign: 1 | -1): void {
    for (const { name } of this.#tree.leaf(queue).path) {
      this.#used.add(name, vector, sign);
      if (!preemptible) this.#firm.add(name, vector, sign);
      for (const dimension of vector.keys()) {
        const least = Math.min(amountOf(this.used(name), dimension), amountOf(this.firm(name), dimension));
        assert(least >= 0, `queue ${name} gives back no more ${dimension} than it took`);
      }
    }
  }
}

function stopIn(
  dimension: Dimension,
  allowed: number,
  used: number,
  asked: number,
): Omit<QueueStop, 'queue' | 'rule'> | undefined {
  if (asked === 0 || used + asked <= allowed) return undefined;
  return { dimension, allowed, used, asked, never: asked > allowed };
}

/** What stands in the way and what would help, for the person who waits. */
export function explainQueueStop({ queue, rule, dimension, allowed, used, asked, never }: QueueStop): string {
  const wants = `It needs ${describeAmount(dimension, asked)}`;
  const most = describeAmount(dimension, allowed);
  const room =
    rule === 'limit'
      ? `queue ${queue} may use ${most}`
      : `queue ${queue} is guaranteed ${most} for such work`;
  if (never) return `${wants}, but ${room}. ${rule === 'limit' ? ASK_LESS : ASK_PREEMPTIBLE}`;
  const inUse = describeAmount(dimension, used);
  const rest = `${room}, of which ${inUse} ${inUse === '1 GPU' ? 'is' : 'are'} in use`;
  if (used + asked <= allowed)
    return `${wants}, but ${rest}. What came before it is owed the rest and goes first.`;
  const help = rule === 'limit' ? '.' : '; work that may be preempted could borrow.';
  return `${wants}, but ${rest}. It starts when work of that queue ends${help}`;
}

const ASK_LESS = 'Ask for less, or have its limit raised.';
const ASK_PREEMPTIBLE = 'Allow it to be preempted, ask for less, or have the guarantee raised.';
