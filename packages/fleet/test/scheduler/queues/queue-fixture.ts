// Not a test: small trees of queues, written by hand or generated, and random choices from a seed.
import fc from 'fast-check';
import { amounts, sumOf, type Amounts } from '../../../src/scheduler/queues/amounts.ts';
import type { QueueSpec } from '../../../src/scheduler/queues/queue-spec.ts';

/** Milli-GPUs of two classes. */
export function gpus(h100: number, a100 = 0): Amounts {
  return amounts({ gpuMilli: { h100: h100 * 1000, a100: a100 * 1000 } });
}

export const amountsArbitrary = fc
  .record({ h100: fc.nat(40), a100: fc.nat(12), cpu: fc.nat(64) })
  .map(({ h100, a100, cpu }) =>
    amounts({ gpuMilli: { h100: h100 * 250, a100: a100 * 1000 }, cpuMilli: cpu * 500 }),
  );

interface Family {
  readonly own: Amounts;
  readonly above: Amounts | undefined;
  readonly weight: number;
  readonly priorityClass: number;
  readonly children: readonly Family[];
}

const { family } = fc.letrec<{ family: Family; children: readonly Family[] }>((tie) => ({
  family: fc.record({
    own: amountsArbitrary,
    above: fc.option(amountsArbitrary, { nil: undefined }),
    weight: fc.nat(4),
    priorityClass: fc.nat(1),
    children: tie('children'),
  }),
  children: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant([]),
    fc.array(tie('family'), { maxLength: 3 }),
  ),
}));

/** Valid trees: an inner queue has what its children have and a little more, limits leave room for that. */
export const queuesArbitrary: fc.Arbitrary<readonly QueueSpec[]> = fc
  .array(family, { minLength: 1, maxLength: 4 })
  .map((families) => {
    const specs: QueueSpec[] = [];
    for (const one of families) specify(one, undefined, specs);
    return specs;
  });

function specify(
  { own, above, weight, priorityClass, children }: Family,
  parent: string | undefined,
  specs: QueueSpec[],
): Amounts {
  const name = `q${specs.length}`;
  const at = specs.push({ name }) - 1;
  const below = children.map((child) => specify(child, name, specs));
  const guaranteed = sumOf([own, ...below]);
  const limit = above && sumOf([guaranteed, above]);
  specs[at] = {
    name,
    guaranteed,
    weight,
    priorityClass,
    ...(parent === undefined ? {} : { parent }),
    ...(limit ? { limit } : {}),
  };
  return guaranteed;
}

export function leavesOf(specs: readonly QueueSpec[]): readonly string[] {
  const parents = new Set(specs.map(({ parent }) => parent));
  return specs.map(({ name }) => name).filter((name) => !parents.has(name));
}
