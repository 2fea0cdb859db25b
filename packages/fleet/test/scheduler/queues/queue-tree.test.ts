// Shows that a tree of queues that contradicts itself is refused by a code that names the queue to change.
import type { CodedError } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { amounts } from '../../../src/scheduler/queues/amounts.ts';
import type { QueueErrorFacts } from '../../../src/scheduler/queues/queue-error.ts';
import type { QueueSpec } from '../../../src/scheduler/queues/queue-spec.ts';
import { QueueTree } from '../../../src/scheduler/queues/queue-tree.ts';
import { gpus, leavesOf, queuesArbitrary } from './queue-fixture.ts';

function refusalOf(action: () => unknown): CodedError<QueueErrorFacts> {
  try {
    action();
  } catch (error) {
    return error as CodedError<QueueErrorFacts>; // nothing else is thrown here
  }
  return expect.unreachable('should have been refused');
}

const chain = Array.from({ length: 9 }, (_, level): QueueSpec => ({
  name: `level-${level}`,
  ...(level > 0 ? { parent: `level-${level - 1}` } : {}),
}));

const REFUSED: readonly (readonly [string, readonly QueueSpec[], object])[] = [
  ['a name with capitals', [{ name: 'Team' }], { code: 'queue-name-invalid', queue: 'Team' }],
  ['a name that ends in a dash', [{ name: 'team-' }], { code: 'queue-name-invalid' }],
  ['a name of 64 characters', [{ name: 'q'.repeat(64) }], { code: 'queue-name-invalid' }],
  ['a name twice', [{ name: 'a' }, { name: 'a' }], { code: 'queue-name-taken', queue: 'a' }],
  [
    'an unknown parent',
    [{ name: 'research' }, { name: 'llm', parent: 'reserch' }],
    { code: 'queue-parent-unknown', queue: 'llm', parent: 'reserch' },
  ],
  [
    'a circle',
    [
      { name: 'z', parent: 'a' },
      { name: 'a', parent: 'b' },
      { name: 'b', parent: 'c' },
      { name: 'c', parent: 'a' },
    ],
    { code: 'queue-cycle', circle: ['a', 'b', 'c'] },
  ],
  ['itself as parent', [{ name: 'a', parent: 'a' }], { code: 'queue-cycle', circle: ['a'] }],
  ['a ninth level', chain, { code: 'queue-too-deep', queue: 'level-8', limit: 8 }],
  ['a weight of 1.5', [{ name: 'a', weight: 1.5 }], { code: 'queue-weight-invalid', queue: 'a' }],
  ['a negative weight', [{ name: 'a', weight: -1 }], { code: 'queue-weight-invalid', queue: 'a' }],
  ['class 1001', [{ name: 'a', priorityClass: 1001 }], { code: 'queue-priority-class-invalid', queue: 'a' }],
  ['half a milli-GPU', [{ name: 'a', limit: gpus(0.0005) }], { code: 'queue-amount-invalid', queue: 'a' }],
  ['a negative amount', [{ name: 'a', guaranteed: gpus(-1) }], { code: 'queue-amount-invalid', queue: 'a' }],
  [
    'a limit below its guarantee',
    [{ name: 'a', guaranteed: gpus(8), limit: gpus(7) }],
    { code: 'queue-limit-below-guarantee', queue: 'a', dimension: 'gpu:h100' },
  ],
  [
    'children with more than their parent',
    [
      { name: 'a', guaranteed: gpus(8, 8) },
      { name: 'b', parent: 'a', guaranteed: gpus(4, 4) },
      { name: 'c', parent: 'a', guaranteed: gpus(4, 5) },
    ],
    { code: 'queue-guarantees-exceed-parent', queue: 'a', dimension: 'gpu:a100' },
  ],
  [
    'children with more than the limit of a parent whose guarantee is theirs',
    [
      { name: 'a', limit: gpus(7, 99) },
      { name: 'b', parent: 'a', guaranteed: gpus(8) },
    ],
    { code: 'queue-guarantees-exceed-parent', queue: 'a', dimension: 'gpu:h100' },
  ],
];

describe('trees of queues', () => {
  test.each(REFUSED)('refuse %s', (_, specs, facts) => {
    const { facts: found, message } = refusalOf(() => new QueueTree(specs));
    expect(found).toMatchObject(facts);
    expect(message).toMatch(/[.?]$/);
  });

  test('refuse more queues than the limit', () => {
    const specs = Array.from({ length: 10_001 }, (_, index) => ({ name: `q${index}` }));
    expect(refusalOf(() => new QueueTree(specs)).facts).toEqual({ code: 'queue-too-many', limit: 10_000 });
  });

  test('suggest the name that was probably meant', () => {
    const tree = new QueueTree([{ name: 'research' }, { name: 'llm', parent: 'research' }]);
    const error = refusalOf(() => tree.get('reserch'));
    expect(error.facts).toEqual({ code: 'queue-unknown', queue: 'reserch', nearest: 'research' });
    expect(error.message).toContain('Did you mean research?');
  });

  test('take work only where there are no children', () => {
    const tree = new QueueTree([{ name: 'research' }, { name: 'llm', parent: 'research' }]);
    expect(tree.leaf('llm').name).toBe('llm');
    expect(refusalOf(() => tree.leaf('research')).facts.code).toBe('queue-has-children');
  });

  test('guarantee a parent what its children are guaranteed, unless told', () => {
    const tree = new QueueTree([
      { name: 'a' },
      { name: 'b', parent: 'a', guaranteed: gpus(3) },
      { name: 'c', parent: 'a', guaranteed: amounts({ cpuMilli: 500 }) },
    ]);
    expect(Object.fromEntries(tree.get('a').guaranteed)).toEqual({
      'gpu:h100': 3000,
      'gpu:a100': 0,
      cpuMilli: 500,
    });
  });

  test('know where two paths meet', () => {
    const tree = new QueueTree([
      { name: 'research' },
      { name: 'llm', parent: 'research' },
      { name: 'vision', parent: 'research' },
      { name: 'web' },
    ]);
    const names = (one: string, other: string): unknown => {
      const meeting = tree.meeting(one, other);
      return meeting && [meeting.ours.name, meeting.theirs.name];
    };
    expect(names('llm', 'vision')).toEqual(['llm', 'vision']);
    expect(names('llm', 'web')).toEqual(['research', 'web']);
    expect(names('web', 'web')).toBeUndefined();
  });

  test('do not depend on the order of their queues', () => {
    fc.assert(
      fc.property(
        queuesArbitrary.chain((specs) =>
          fc.tuple(fc.constant(specs), fc.shuffledSubarray([...specs], { minLength: specs.length })),
        ),
        ([specs, shuffled]) => {
          const [one, other] = [new QueueTree(specs), new QueueTree(shuffled)];
          expect(other.parentsFirst).toEqual(one.parentsFirst);
          for (const leaf of leavesOf(specs)) expect(one.leaf(leaf).path.at(-1)?.path).toHaveLength(1);
        },
      ),
      { numRuns: 30 },
    );
  });
});
