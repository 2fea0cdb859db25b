// Shows that the machine answers and counts exactly as a naive ledger does, whatever it is asked.
import { seededRandom, type Random } from '@clawbernetes/kernel';
import { DEFAULT_TWINS, LedgerTwins, RandomWorkload, type LedgerStep } from '@clawbernetes/ledger/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RESULTS } from '@clawbernetes/ledger';

/** LEDGER_OPERATIONS=5000000 LEDGER_SEED=7 vitest run … makes the long run of another seed. */
const OPERATIONS = Number(process.env['LEDGER_OPERATIONS'] ?? 300_000);
const SEED = Number(process.env['LEDGER_SEED'] ?? 1);
const OPERATIONS_PER_WORLD = 20_000;
/** What the machine alone does not answer: requests are refused by who applies frames. */
const OF_REQUESTS = new Set(['request-expired', 'nonce-used']);

function itemsOf(step: LedgerStep): number {
  if (step.kind === 'open') return step.accounts.length;
  return step.kind === 'transfer' ? step.transfers.length : 1;
}

/** Numbers that fast-check drew, which it knows to shrink, as a source of chance; zero after the last. */
function drawn(numbers: readonly number[]): Pick<Random, 'fraction'> {
  let next = 0;
  return { fraction: () => (numbers[next++] ?? 0) / 65_536 };
}

test('any few steps', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(65_535), { maxLength: 600, size: 'max' }), (numbers) => {
      const workload = new RandomWorkload(drawn(numbers), DEFAULT_TWINS.startMs);
      const twins = new LedgerTwins();
      for (let steps = 0; steps < numbers.length / 20; steps += 1)
        workload.hear(twins.apply(workload.next()));
    }),
    { numRuns: 2000 },
  );
});

test(`${OPERATIONS} operations from seed ${SEED} reach every answer`, () => {
  const reached = new Set<string>();
  let operations = 0;
  for (let world = 0; operations < OPERATIONS; world += 1) {
    const twins = new LedgerTwins({ ...DEFAULT_TWINS, maxPending: world % 2 === 0 ? 10 : 1000 });
    const workload = new RandomWorkload(seededRandom(SEED * 100_000 + world), DEFAULT_TWINS.startMs);
    for (let inWorld = 0; inWorld < OPERATIONS_PER_WORLD;) {
      const step = workload.next();
      inWorld += itemsOf(step);
      workload.hear(twins.apply(step));
    }
    operations += OPERATIONS_PER_WORLD;
    for (const answer of twins.answers.keys()) reached.add(answer);
  }
  expect([...reached].toSorted()).toEqual(
    Object.keys(RESULTS)
      .filter((name) => !OF_REQUESTS.has(name))
      .toSorted(),
  );
});
