// The fleet of the gang bar: 5,000 nodes of 8 GPUs in racks, of which four in five have work on a GPU or
// more.
import {
  DomainCapacity,
  planGang,
  TopologyTree,
  type GangDemand,
  type GangPlan,
  type GangRefusal,
} from '@clawbernetes/fleet';
import { assert, present, seededRandom, type Random } from '@clawbernetes/kernel';

const NODES = 5000;
/** A rack of the bar holds more than the gang. */
const NODES_PER_RACK = 1250;
const DOMAIN_NODES = 18;
const GPUS = 8;
const FRAGMENTED = 0.8;
const MEMBERS = 512;
const SHAPE = '8 GPUs';

export const GANG: GangDemand = {
  members: { min: MEMBERS, max: MEMBERS },
  topology: { level: 'rack', rule: 'required' },
};
/** Larger than any rack. */
export const TOO_LARGE: GangDemand = {
  members: { min: NODES_PER_RACK + 1, max: NODES_PER_RACK + 1 },
  topology: { level: 'rack', rule: 'required' },
};

/** Free GPUs of each node: one rack has just enough whole nodes, the others share the rest of them. */
export function fragmentedFleet(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const free = Uint8Array.from({ length: NODES }, () => Math.floor(random.fraction() * GPUS));
  const racks = NODES / NODES_PER_RACK;
  const rack = Math.floor(random.fraction() * racks);
  const whole = Math.round(NODES * (1 - FRAGMENTED));
  const inRack = MEMBERS + Math.floor(random.fraction() * 30);
  empty(free, inRack, () => rack * NODES_PER_RACK + pick(NODES_PER_RACK, random));
  empty(free, whole - inRack, () => {
    const other = (rack + 1 + pick(racks - 1, random)) % racks;
    return other * NODES_PER_RACK + pick(NODES_PER_RACK, random);
  });
  return free;
}

function empty(free: Uint8Array, count: number, next: () => number): void {
  for (let done = 0; done < count;) {
    const node = next();
    if (free[node] === GPUS) continue;
    free[node] = GPUS;
    done += 1;
  }
}

function pick(count: number, random: Random): number {
  return Math.floor(random.fraction() * count);
}

export function gangTree(): TopologyTree {
  const tree = new TopologyTree();
  for (let node = 0; node < NODES; node += 1) {
    const rack = `r${Math.floor(node / NODES_PER_RACK)}`;
    const nvlinkDomain = `d${Math.floor((node % NODES_PER_RACK) / DOMAIN_NODES)}`;
    tree.add(node, `n${node}`, { site: 's', rack, nvlinkDomain });
  }
  return tree;
}

export interface TimedAnswer {
  readonly answer: GangPlan | GangRefusal;
  readonly ms: number;
}

/** From the free GPUs of each node to the answer; nothing is known of this shape of member before. */
export function timeGang(tree: TopologyTree, free: Uint8Array, demand: GangDemand): TimedAnswer {
  const startMs = performance.now();
  const capacity = new DomainCapacity(tree);
  capacity.register(SHAPE, (node) => Math.floor((free[node] ?? 0) / GPUS));
  const counted = present(capacity.of(SHAPE), 'the shape that was registered');
  const answer = planGang({ tree, ...counted, roomWhenEmpty: () => 1 }, demand);
  return { answer, ms: performance.now() - startMs };
}

/** All members, on whole free nodes of one rack, none twice. */
export function checkGang(answer: GangPlan | GangRefusal, free: Uint8Array): void {
  assert(answer.kind === 'plan', 'the gang fits');
  const nodes = answer.placements.map(({ node }) => node);
  assert(new Set(nodes).size === MEMBERS && answer.members === MEMBERS, 'each member has a node of its own');
  assert(
    nodes.every((node) => free[node] === GPUS),
    'the nodes of a gang are free',
  );
  assert(new Set(nodes.map((node) => Math.floor(node / NODES_PER_RACK))).size === 1, 'a gang is in one rack');
}
