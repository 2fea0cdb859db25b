import { nearest, present } from '@clawbernetes/kernel';
import { amountOf, describeAmount, NOTHING, sumOf, type Amounts } from './amounts.ts';
import { queueError } from './queue-error.ts';
import { checkQueueSpec, type QueueSpec } from './queue-spec.ts';

export interface Queue {
  readonly name: string;
  /** From itself up to a queue that lies directly below the fleet; so its length is its depth. */
  readonly path: readonly Queue[];
  /** By name. Work is submitted to queues without children only. */
  readonly children: readonly Queue[];
  readonly guaranteed: Amounts;
  readonly limit: Amounts;
  readonly weight: number;
  readonly priorityClass: number;
}

/** Where the paths of two queues meet: the last queue of each that the other is not below. */
export interface Meeting {
  readonly ours: Queue;
  readonly theirs: Queue;
}

const MAX_QUEUES = 10_000;
const MAX_QUEUE_DEPTH = 8;

/** A checked tree of queues. Never changed: an edited set of specs makes a new one. */
export class QueueTree {
  /** Directly below the fleet, by name. */
  readonly top: readonly Queue[];
  /** Every queue after its parent. */
  readonly parentsFirst: readonly Queue[];
  readonly #byName: ReadonlyMap<string, Queue>;

  constructor(specs: readonly QueueSpec[]) {
    const childrenOf = checkedFamilies(specs);
    this.top = grow(childrenOf, undefined, []);
    this.parentsFirst = walk(this.top);
    this.#byName = new Map(this.parentsFirst.map((queue) => [queue.name, queue]));
    for (const queue of this.parentsFirst) checkGuarantees(queue);
  }

  get(name: string): Queue {
    const queue = this.#byName.get(name);
    if (queue) return queue;
    const close = nearest(name, [...this.#byName.keys()]);
    throw queueError(
      `There is no queue ${name}. ${close === undefined ? 'Create it first.' : `Did you mean ${close}?`}`,
      { code: 'queue-unknown', queue: name, ...(close === undefined ? {} : { nearest: close }) },
    );
  }

  /** A queue that work can be submitted to. */
  leaf(name: string): Queue {
    const queue = this.get(name);
    const [child] = queue.children;
    if (!child) return queue;
    throw queueError(
      `Queue ${name} only divides among its children. Use one of them, such as ${child.name}.`,
      {
        code: 'queue-has-children',
        queue: name,
      },
    );
  }

  /** Undefined for a queue and itself. Both are queues without children, so neither lies below the other. */
  meeting(our: string, their: string): Meeting | undefined {
    const ours = this.leaf(our).path;
    const theirs = this.leaf(their).path;
    for (let fromTop = 1; fromTop <= Math.min(ours.length, theirs.length); fromTop += 1) {
      const one = present(ours.at(-fromTop), 'a queue of our path');
      const other = present(theirs.at(-fromTop), 'a queue of their path');
      if (one !== other) return { ours: one, theirs: other };
    }
    return undefined;
  }
}

type Families = ReadonlyMap<string | undefined, readonly QueueSpec[]>;

/** Specs by the name of their parent: all names known, none twice, no circles. */
function checkedFamilies(specs: readonly QueueSpec[]): Families {
  if (specs.length > MAX_QUEUES) {
    throw queueError(`${specs.length} queues are too many. Use at most ${MAX_QUEUES}.`, {
      code: 'queue-too-many',
      limit: MAX_QUEUES,
    });
  }
  const byName = new Map<string, QueueSpec>();
  for (const spec of specs) {
    checkQueueSpec(spec);
    if (byName.has(spec.name)) throw nameTaken(spec.name);
    byName.set(spec.name, spec);
  }
  for (const spec of specs) checkAncestors(spec, byName);
  return Map.groupBy(specs, ({ parent }) => parent);
}

function checkAncestors({ name }: QueueSpec, byName: ReadonlyMap<string, QueueSpec>): void {
  const trail = [name];
  for (let spec = byName.get(name); spec?.parent !== undefined; spec = byName.get(spec.parent)) {
    const { parent } = spec;
    if (!byName.has(parent)) throw parentUnknown(spec.name, parent, byName);
    const start = trail.indexOf(parent);
    if (start >= 0) throw inCircle(trail.slice(start));
    trail.push(parent);
    if (trail.length > MAX_QUEUE_DEPTH) throw tooDeep(name);
  }
}

function grow(families: Families, parent: string | undefined, above: readonly Queue[]): readonly Queue[] {
  const specs = families.get(parent) ?? [];
  return specs
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map((spec) => growOne(families, spec, above));
}

function growOne(families: Families, spec: QueueSpec, above: readonly Queue[]): Queue {
  const { name, limit = NOTHING, weight = 1, priorityClass = 0 } = spec;
  const path: Queue[] = [];
  // The path begins with the queue itself, which has to exist before its children do.
  const queue = {
    name,
    path,
    children: [] as readonly Queue[],
    guaranteed: NOTHING,
    limit,
    weight,
    priorityClass,
  };
  path.push(queue, ...above);
  queue.children = grow(families, name, path);
  queue.guaranteed = spec.guaranteed ?? sumOf(queue.children.map(({ guaranteed }) => guaranteed));
  return queue;
}

function walk(top: readonly Queue[]): readonly Queue[] {
  const found = [...top];
  for (const queue of found) found.push(...queue.children);
  return found;
}

function checkGuarantees({ name, children, guaranteed, limit }: Queue): void {
  for (const [dimension, sum] of sumOf(children.map((child) => child.guaranteed))) {
    const own = amountOf(guaranteed, dimension);
    const most = Math.min(own, limit.get(dimension) ?? Infinity);
    if (sum <= most) continue;
    const less = most < own ? 'limited to' : 'guaranteed';
    throw queueError(
      `The children of queue ${name} are guaranteed ${describeAmount(dimension, sum)} in sum, but it is ` +
        `${less} ${describeAmount(dimension, most)}. Raise its own or lower theirs.`,
      { code: 'queue-guarantees-exceed-parent', queue: name, dimension },
    );
  }
}

function nameTaken(queue: string): Error {
  return queueError(`Two queues are called ${queue}. Rename one: names are unique in the whole tree.`, {
    code: 'queue-name-taken',
    queue,
  });
}

function parentUnknown(queue: string, parent: string, byName: ReadonlyMap<string, QueueSpec>): Error {
  const close = nearest(parent, [...byName.keys()]);
  const help = close === undefined ? 'Create that one first.' : `Did you mean ${close}?`;
  return queueError(`Queue ${queue} lies below ${parent}, which does not exist. ${help}`, {
    code: 'queue-parent-unknown',
    queue,
    parent,
  });
}

function inCircle(circle: readonly string[]): Error {
  const [queue = ''] = circle;
  return queueError(
    `Queues lie below each other in a circle: ${[...circle, queue].join(' → ')}. Give one another parent.`,
    { code: 'queue-cycle', queue, circle },
  );
}

function tooDeep(queue: string): Error {
  return queueError(`Queue ${queue} lies more than ${MAX_QUEUE_DEPTH} levels deep. Move it up.`, {
    code: 'queue-too-deep',
    queue,
    limit: MAX_QUEUE_DEPTH,
  });
}
