// Shows that the table of standings knows what a plain map would, however many groups there are and whatever
// is forgotten between.
import type { ObstacleCode } from '@clawbernetes/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StandingTable, type Standing } from '../../../src/scheduler/score/standing-table.ts';

const keys = fc.oneof(fc.nat(40), fc.nat(2 ** 31 - 1));
const standings: fc.Arbitrary<Standing> = fc.oneof(
  fc.double({ noNaN: true }).map((cost) => ({ refusal: undefined, cost })),
  fc
    .constantFrom<ObstacleCode>('other-node', 'nvlink', 'memory-in-use')
    .map((refusal) => ({ refusal, cost: 0 })),
);
const steps = fc.array(
  fc.oneof(
    { weight: 200, arbitrary: fc.tuple(keys, standings) },
    fc.constant('forget costs' as const),
    fc.constant('clear' as const),
  ),
  { maxLength: 400, size: 'max' },
);

function known(table: StandingTable, key: number): Standing | undefined {
  const place = table.find(key);
  return place < 0 ? undefined : { refusal: table.refusal(place), cost: table.cost(place) };
}

test('knows of each group what was told last, unless it was forgotten', () => {
  fc.assert(
    fc.property(steps, (told) => {
      const table = new StandingTable();
      const model = new Map<number, Standing>();
      for (const step of told) {
        if (step === 'clear') {
          table.clear();
          model.clear();
        } else if (step === 'forget costs') {
          table.forgetCosts();
          for (const [key, { refusal }] of model) if (refusal === undefined) model.delete(key);
        } else {
          const [key, standing] = step;
          const place = table.set(key, standing);
          expect(place).toBe(table.find(key));
          model.set(key, standing);
        }
        expect(table.size).toBe(model.size);
      }
      for (const [key, standing] of model) expect(known(table, key)).toEqual(standing);
      for (let key = 0; key <= 41; key += 1) expect(known(table, key)).toEqual(model.get(key));
    }),
    { numRuns: 200 },
  );
});
