// Shows that benchmark figures are laid out for people: groups named, numbers readable, what is missing said.
import { expect, it } from 'vitest';
import { figureTable } from '../bench/figure-table.ts';

it('names groups, aligns numbers and says what was not measured', () => {
  const report = {
    results: { jobsPerSecond: 1234.56, overheadMs: { p50: 1.234, p99: 45.67 } },
    peers: { slurmPerSecond: null },
    ratios: {},
  };
  expect(figureTable(report)).toEqual([
    'results',
    '  jobsPerSecond          1,235',
    '  overheadMs.p50          1.23',
    '  overheadMs.p99          45.7',
    'peers',
    '  slurmPerSecond  not measured',
  ]);
});
