import { assert, present } from '@clawbernetes/kernel';
import { WHOLE_GPU, type Demand } from './demand.ts';
import { MAX_NODE_GPUS, stateKey, type NodeState } from './node-state.ts';

/** What a node has when it is empty. */
export interface ClusterNode {
  /** Number of what does not change while work comes and goes. */
  readonly profile: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Thousandths of each GPU that may be given away: WHOLE_GPU, or 0 for one that is out of order. */
  readonly gpus: readonly number[];
}

/** What a demand was given on a node. */
export interface Given {
  readonly node: number;
  readonly demand: Demand;
  /** Which GPUs of the node, by their place in it. */
  readonly gpus: readonly number[];
}

/** Nodes that are alike now. */
export interface StateGroup {
  readonly state: NodeState;
  /** Numbers of nodes, in no order. */
  readonly nodes: readonly number[];
  /** Unique among all groups there ever were. */
  readonly id: number;
}

interface Group {
  readonly id: number;
  readonly key: string;
  readonly state: NodeState;
  readonly nodes: number[];
  /** Place in the list of groups. */
  at: number;
}

interface Node {
  cpuMilli: number;
  memoryMib: number;
  readonly free: number[];
  readonly profile: number;
  group: Group;
  /** Place in its group. */
  at: number;
}

/**
 * What is free on all nodes, grouped by state: a fleet has far fewer states than nodes, so whoever looks for
 * a place looks at states. All in memory, changed in microseconds; a plan is tried by giving and taking back.
 */
export class Cluster {
  readonly #nodes: (Node | undefined)[] = [];
  readonly #byKey = new Map<string, Group>();
  readonly #groups: Group[] = [];
  #nextGroup = 0;

  /** The states that nodes are in, in an order that depends only on what happened before. */
  get groups(): readonly StateGroup[] {
    return this.#groups;
  }

  /** Answers the number of the node. */
  add({ profile, cpuMilli, memoryMib, gpus }: ClusterNode): number {
    assert(gpus.length <= MAX_NODE_GPUS, 'a node has a limited number of GPUs');
    const free = [...gpus];
    const group = this.#groupOf(stateOf({ profile, cpuMilli, memoryMib, free }));
    const number =
      this.#nodes.push({ profile, cpuMilli, memoryMib, free, group, at: group.nodes.length }) - 1;
    group.nodes.push(number);
    return number;
  }

  /** Its number is not used again. */
  remove(number: number): void {
    const node = this.#node(number);
    this.#leave(number, node);
    this.#nodes[number] = undefined;
  }

  state(number: number): NodeState {
    return this.#node(number).group.state;
  }

  /** Thousandths that are free of each GPU, by its place in the node. */
  free(number: number): readonly number[] {
    return this.#node(number).free;
  }

  /** Gives what fits; `gpus` are the places of as many GPUs as are asked for. */
  give({ node: number, demand, gpus }: Given): void {
    const node = this.#node(number);
    assert(gpus.length === demand.gpus, 'a demand is given as many GPUs as it asks for');
    assert(
      node.cpuMilli >= demand.cpuMilli && node.memoryMib >= demand.memoryMib,
      'a node gives what it has',
    );
    for (const place of gpus) {
      assert((node.free[place] ?? 0) >= demand.gpuMilli, 'a GPU is given once');
      node.free[place] = (node.free[place] ?? 0) - demand.gpuMilli;
    }
    node.cpuMilli -= demand.cpuMilli;
    node.memoryMib -= demand.memoryMib;
    this.#regroup(number, node);
  }

  takeBack({ node: number, demand, gpus }: Given): void {
    const node = this.#node(number);
    for (const place of gpus) {
      const free = (node.free[place] ?? 0) + demand.gpuMilli;
      assert(free <= WHOLE_GPU, 'a GPU is taken back once');
      node.free[place] = free;
    }
    node.cpuMilli += demand.cpuMilli;
    node.memoryMib += demand.memoryMib;
    this.#regroup(number, node);
  }

  /**
   * GPUs of a node for a demand that fits: the first ones that are whole, or the first one with exactly
   * `from` thousandths free.
   */
  pick(number: number, { gpus, gpuMilli }: Demand, from: number): readonly number[] {
    const { free } = this.#node(number);
    const wanted = gpuMilli === WHOLE_GPU ? WHOLE_GPU : from;
    const places: number[] = [];
    for (let place = 0; places.length < gpus && place < free.length; place += 1)
      if (free[place] === wanted) places.push(place);
    assert(places.length === gpus, 'a node has the GPUs that its state says');
    return places;
  }

  #node(number: number): Node {
    return present(this.#nodes[number], 'a node of the cluster');
  }

  #regroup(number: number, node: Node): void {
    this.#leave(number, node);
    node.group = this.#groupOf(stateOf(node));
    node.at = node.group.nodes.push(number) - 1;
  }

  #leave(number: number, { group, at }: Node): void {
    const last = present(group.nodes.pop(), 'a node of a group');
    if (last !== number) {
      group.nodes[at] = last;
      this.#node(last).at = at;
    }
    if (group.nodes.length > 0) return;
    this.#byKey.delete(group.key);
    const other = present(this.#groups.pop(), 'a group');
    if (other === group) return;
    this.#groups[group.at] = other;
    other.at = group.at;
  }

  #groupOf(state: NodeState): Group {
    const key = stateKey(state);
    const known = this.#byKey.get(key);
    if (known) return known;
    const group = { id: this.#nextGroup, key, state, nodes: [], at: this.#groups.length };
    this.#nextGroup += 1;
    this.#groups.push(group);
    this.#byKey.set(key, group);
    return group;
  }
}

function stateOf({
  profile,
  cpuMilli,
  memoryMib,
  free,
}: Pick<Node, 'profile' | 'cpuMilli' | 'memoryMib' | 'free'>): NodeState {
  return { profile, cpuMilli, memoryMib, gpus: free.toSorted((left, right) => right - left) };
}
