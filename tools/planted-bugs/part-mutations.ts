import type { Mutation } from './mutation.ts';

const FLEET = 'packages/fleet/src';
const PARTS_TEST = 'packages/fleet/test/scheduler/gpu-parts.test.ts';
const GANG_TEST = 'packages/fleet/test/scheduler/gang/within-node.test.ts';

/** Of gangs whose GPUs are all on one part of a node. */
export const PART_MUTATIONS: readonly Mutation[] = [
  {
    name: 'the members of a gang on one NUMA node are given GPUs of any',
    file: `${FLEET}/scheduler/gang/place-gang.ts`,
    find: 'return inTopologyOrder(node, devicesFor(part.node, inOnePart(member), members));',
    replace: 'return inTopologyOrder(part.node, devicesFor(node, inOnePart(member), members));',
    test: GANG_TEST,
  },
  {
    name: 'a lost member of a gang on one NVLink island is replaced anywhere on its node',
    file: `${FLEET}/workload/gang/replace-lost.ts`,
    find: 'return movesOnPart(topology, shape, [within], seats);',
    replace: 'return movesBetween(core, topology, shape, seats);',
    test: 'packages/fleet/test/unit/gang/gang-within-node.test.ts',
  },
  {
    name: 'a gang that prefers one NUMA node waits for it',
    file: `${FLEET}/scheduler/gang/within-node.ts`,
    find: 'onOnePart(shape, level)), shape];',
    replace: 'onOnePart(shape, level))];',
    test: GANG_TEST,
  },
  {
    name: 'room for a gang on one part is counted over the parts of a node',
    file: `${FLEET}/scheduler/gpu-fit.ts`,
    find: 'most = Math.max(most, membersOfGpus(part.node, alone));',
    replace: 'most += membersOfGpus(part.node, alone);',
    test: PARTS_TEST,
  },
  {
    name: 'GPUs of which nobody knows the NUMA node count as near each other',
    file: `${FLEET}/scheduler/gpu-parts.ts`,
    find: '?? `unknown ${at}`',
    replace: '?? -1',
    test: PARTS_TEST,
  },
];
