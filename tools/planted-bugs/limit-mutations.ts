import type { Mutation } from './mutation.ts';

const FLEET = 'packages/fleet/src';
const EDGES = 'packages/fleet/test/queues/limit-edges.test.ts';

/** Of what waits for limits. */
export const LIMIT_MUTATIONS: readonly Mutation[] = [
  {
    name: 'who is tried on reserved capacity has a second turn there',
    file: `${FLEET}/queues/queue-planner.ts`,
    find: 'asked.has(group.key) ? { ...group, workloadIds: [] } : nowhere(group);',
    replace: 'asked.has(group.key) ? group : nowhere(group);',
    test: EDGES,
  },
  {
    name: 'a limit of one model asks for others by a part of their names',
    file: `${FLEET}/scheduler/queues/asked-amounts.ts`,
    find: '`${WHOLE_NAME}${model}`',
    replace: 'model',
    test: EDGES,
  },
  {
    name: 'what was next when a plan ended is not tried in the next one',
    file: `${FLEET}/workload/pending-queue.ts`,
    find: 'if (!isTried) isThrough = false;',
    replace: 'void isTried;',
    test: 'packages/fleet/test/queues/limit-turns.test.ts',
  },
];
