import type { Mutation } from './mutation.ts';

const FLEET = 'packages/fleet/src';
const FAULTS = 'packages/fleet/test/unit/mig-faults.test.ts';
const AMOUNTS = 'packages/fleet/test/queues/mig-amounts.test.ts';

/** Of MIG instances: what they count as, and what befalls them with their GPU. */
export const MIG_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a MIG instance counts as a whole GPU in its queue',
    file: `${FLEET}/queues/queue-accounts.ts`,
    find: 'migMilli: attempt.migMilli?.[at]',
    replace: 'migMilli: undefined',
    test: AMOUNTS,
  },
  {
    name: 'a queue shares out MIG instances as whole GPUs',
    file: `${FLEET}/queues/queue-situation.ts`,
    find: 'add(EVERY_GPU, migMilli * count)',
    replace: 'add(EVERY_GPU, WHOLE_GPU * count)',
    test: AMOUNTS,
  },
  {
    name: 'a MIG instance of a broken GPU is given to work',
    file: `${FLEET}/node/snapshot-node.ts`,
    find: '!isOutOfUse(conditionOf(node, gpu))',
    replace: '!isOutOfUse(node.gpuConditions?.[gpu.id])',
    test: FAULTS,
  },
  {
    name: 'work on a MIG instance that is gone is left alone',
    file: `${FLEET}/node/gpu-health.ts`,
    find: 'gpu.parentId === undefined || held.has(gpu.id)',
    replace: 'gpu.parentId === undefined',
    test: FAULTS,
  },
];
