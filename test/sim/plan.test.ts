// Shows that a seed is one run, that its plan does not depend on its length, and that a failing plan shrinks.
import { expect, test } from 'vitest';
import { FAULT_RATES, FAULTS, noFaults, planFaults, type FaultPlan } from './fault-plan.ts';
import { runSimulation, type SimulationReport } from './run-simulation.ts';
import { shrink } from './shrink.ts';
import { simCommand } from './sim-command.ts';
import type { SeedResult } from './soak-process.ts';
import { emptyTotals, totalsOf } from './soak-totals.ts';
import { LEGAL, MACHINES, missingTransitions } from './transitions.ts';

const NODES = 5;

test('a longer run begins as the shorter one', () => {
  const [short, long] = [planFaults(7, NODES, 1), planFaults(7, NODES, 3)];
  expect(short.faults.length).toBeGreaterThan(10);
  expect(long.faults.slice(0, short.faults.length)).toEqual(short.faults);
});

test('at a tenth of the pace a tenth of the faults strike', () => {
  const [whole, calm] = [planFaults(7, NODES, 300), planFaults(7, NODES, 300, 0.1)];
  expect(calm.faults.length / whole.faults.length).toBeCloseTo(0.1, 2);
});

test('totals of a soak add up, and name what failed with its command', () => {
  const plan = { seed: 5, hours: 2, pace: 0.5 };
  const report = { ...reportOf(planFaults(5, NODES, 2), false, 2), cpuSeconds: 6 };
  const well: SeedResult = { plan, report, violations: [], command: 'command', line: '' };
  const dead: SeedResult = { ...well, report: undefined, violations: ['it did not end'] };
  const totals = [well, well, dead].reduce(totalsOf, emptyTotals());
  expect(totals).toMatchObject({ seeds: 3, hours: 4, steps: 2, cpuSecondsPerHour: 3 });
  expect(totals.violations).toEqual([{ command: 'command', violation: 'it did not end' }]);
  expect(totals.missing.length).toBeGreaterThan(50);
  expect(simCommand({ ...plan, nodes: 6 })).toBe('npm run sim -- --seed 5 --hours 2 --pace 0.5');
});

test('over many hours each fault strikes about as often as its rate says', () => {
  const counts = noFaults();
  const hours = 1000;
  for (const { fault } of planFaults(1, NODES, hours).faults) counts[fault] += 1;
  // Six standard deviations of a Poisson process.
  const off = FAULTS.filter((fault) => {
    const expected = FAULT_RATES[fault] * hours;
    return Math.abs(counts[fault] - expected) >= 6 * Math.sqrt(expected);
  });
  expect(off).toEqual([]);
});

test('the same plan is the same run, and without its faults it is another', async () => {
  const plan = planFaults(11, NODES, 0.03);
  const [first, second] = [await runSimulation(plan), await runSimulation(plan)];
  expect(first.violations).toEqual([]);
  expect(second.traceHash).toBe(first.traceHash);
  expect(second.transitions).toEqual(first.transitions);
  const calm = await runSimulation({ ...plan, faults: [] });
  expect(calm.violations).toEqual([]);
  expect(calm.traceHash).not.toBe(first.traceHash);
});

test('a failing plan shrinks to the two faults that it takes, to few nodes, and in a bounded number of runs', async () => {
  const plan = planFaults(3, 6, 1);
  const [early, late] = [plan.faults[5], plan.faults[20]];
  let runs = 0;
  const run = async (tried: FaultPlan): Promise<SimulationReport> => {
    runs += 1;
    const fails = tried.nodes >= 2 && [early, late].every((fault) => fault && tried.faults.includes(fault));
    return reportOf(tried, fails, (late?.atMs ?? 0) / 3_600_000);
  };
  const failed = await run(plan);
  const smaller = await shrink(plan, failed, { run, maxRuns: 100, log: () => undefined });
  expect(smaller.plan.faults).toEqual([early, late]);
  expect(smaller.plan.nodes).toBe(2);
  expect(smaller.plan.hours).toBeLessThan(1);
  runs = 0;
  await shrink(plan, failed, { run, maxRuns: 3, log: () => undefined });
  expect(runs).toBeLessThanOrEqual(3);
});

test('what was never seen is named', () => {
  const all = MACHINES.flatMap((machine) => LEGAL[machine].map((edge) => `${machine}: ${edge}`));
  const counts = Object.fromEntries(all.map((key) => [key, 1]));
  expect(missingTransitions(counts)).toEqual([]);
  expect(missingTransitions({ ...counts, 'freeze: free → frozen': 0 })).toEqual(['freeze: free → frozen']);
});

function reportOf(plan: FaultPlan, fails: boolean, hours: number): SimulationReport {
  return {
    seed: plan.seed,
    nodes: plan.nodes,
    pace: plan.pace,
    simulatedHours: fails ? hours : plan.hours,
    steps: 1,
    workloads: 0,
    refused: 0,
    faults: noFaults(),
    transitions: {},
    traceHash: '',
    violations: fails ? ['something is wrong'] : [],
    story: [],
  };
}
