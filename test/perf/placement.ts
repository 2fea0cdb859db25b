// Placement: decisions of the planner alone in fleets of 500, 5,000 and 20,000 nodes with labels, taints and
// work that comes and goes; durable placements per second (attempt, its workload's new state, event with the
// decision's trace; every commit synced) of a process that is killed with -9 in the midst of it and
// recounted, of work that waits for nodes and, with its submission, of work that arrives; gangs of 512
// members of 8 GPUs in one rack of a fragmented fleet. Durable placements are told to simulated agents, one
// for each node, in the fleet's own process: they send heartbeats and take orders, but run and report
// nothing. `launch` has agents behind sockets that do.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assert, seededRandom } from '@clawbernetes/kernel';
import type { BenchmarkOptions, BenchmarkReport, Figures } from '../../tools/bench/benchmark.ts';
import { bareSqlitePerSecond } from './support/placement/bare-sqlite.ts';
import { durableRun } from './support/placement/durable-run.ts';
import {
  checkGang,
  fragmentedFleet,
  GANG,
  gangBench,
  timeGang,
  TOO_LARGE,
} from './support/placement/gang-fleet.ts';
import { PlannerLoad } from './support/placement/planner-load.ts';
import { median, percentile, round } from './support/statistics.ts';

const SEED = 7;
/** Arrive together, as in a turn of the fleet's loop. */
const BATCH = 200;
/** Of what a fleet takes until it is full, so much runs. */
const FULL_SHARE = 0.7;

interface Sizes {
  readonly fleets: readonly number[];
  readonly batches: number;
  readonly singles: number;
  readonly rounds: number;
  readonly nodes: number;
  readonly seeds: number;
}

const SMALL: Sizes = { fleets: [100, 500], batches: 10, singles: 200, rounds: 1, nodes: 200, seeds: 3 };
const FULL: Sizes = {
  fleets: [500, 5000, 20_000],
  batches: 200,
  singles: 5000,
  rounds: 3,
  nodes: 5000,
  seeds: 100,
};

export default async function measure({ small, log }: BenchmarkOptions): Promise<BenchmarkReport> {
  const sizes = small ? SMALL : FULL;
  const planner = sizes.fleets.map((nodes) => ({ nodes, ...plannerFigures(nodes, sizes, log) }));
  const gangs = gangFigures(sizes, log);
  const { perSecond, bare, ...durable } = await durableFigures(sizes, log);
  const middle = planner[Math.floor(planner.length / 2)];
  return {
    results: {
      decisionsPerSecond: middle?.decisionsPerSecond ?? null,
      decisionP99Us: middle?.oneByOneUs.p99 ?? null,
      planner: Object.fromEntries(planner.map(({ nodes, ...figures }) => [`of${nodes}Nodes`, figures])),
      durablePlacementsPerSecond: round(perSecond, 0),
      durable,
      ...gangs,
    },
    peers: { bareSqlitePlacementsPerSecond: round(bare, 0) },
    ratios: { ofBareSqlite: round(durable.arrivingPerSecond / bare, 2) },
  };
}

function plannerFigures(nodes: number, sizes: Sizes, log: (line: string) => void) {
  const load = new PlannerLoad(nodes, seededRandom(SEED));
  while (load.arrive(BATCH) > BATCH / 2);
  load.end(Math.floor(load.running * (1 - FULL_SHARE)));
  const batchMs: number[] = [];
  let placed = 0;
  for (let batch = 0; batch < sizes.batches; batch += 1) {
    load.end(BATCH);
    const startMs = performance.now();
    placed += load.arrive(BATCH);
    batchMs.push(performance.now() - startMs);
  }
  const singleUs: number[] = [];
  for (let single = 0; single < sizes.singles; single += 1) {
    load.end(1);
    const startMs = performance.now();
    load.arrive(1);
    singleUs.push((performance.now() - startMs) * 1000);
  }
  const perSecond = (sizes.batches * BATCH * 1000) / batchMs.reduce((sum, ms) => sum + ms, 0);
  log(`${nodes} nodes: ${round(perSecond, 0)} decisions/s, ${load.groups} states of nodes`);
  return {
    decisionsPerSecond: round(perSecond, 0),
    batchMs: { p50: round(median(batchMs), 2), p99: round(percentile(batchMs, 0.99), 2) },
    oneByOneUs: { p50: round(median(singleUs), 0), p99: round(percentile(singleUs, 0.99), 0) },
    placedPercent: round((100 * placed) / (sizes.batches * BATCH)),
    states: load.groups,
  };
}

function gangFigures({ seeds }: Sizes, log: (line: string) => void): Figures {
  const [placed, refused]: [number[], number[]] = [[], []];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const free = fragmentedFleet(seed);
    const fits = timeGang(gangBench(free), GANG);
    checkGang(fits, free);
    placed.push(fits.ms);
    const never = timeGang(gangBench(free), TOO_LARGE);
    assert(never.waiting?.reason === 'never-fits', 'it says that it cannot');
    refused.push(never.ms);
  }
  const [gang512Ms, neverFitsMs] = [percentile(placed, 0.99), percentile(refused, 0.99)];
  log(`gangs of 512: ${gang512Ms.toFixed(1)} ms, never fits: ${neverFitsMs.toFixed(1)} ms (p99)`);
  return {
    gang512Ms: round(gang512Ms, 2),
    neverFitsMs: round(neverFitsMs, 2),
    gangMedianMs: { gang512: round(median(placed), 2), neverFits: round(median(refused), 2) },
    gangSeeds: seeds,
  };
}

/** The best of the rounds is reported beside the median: other work on the machine only ever slows it. */
async function durableFigures({ rounds, nodes }: Sizes, log: (line: string) => void) {
  const folder = await mkdtemp(path.join(tmpdir(), 'claw-placement-'));
  const [rates, arriving, bare]: [number[], number[], number[]] = [[], [], []];
  let [acknowledged, recounted] = [0, 0];
  const run = async (file: string, waiting: number): Promise<number> => {
    const figures = await durableRun({ path: file, nodes, waiting, warmUp: nodes, until: nodes * 5 });
    acknowledged += figures.acknowledged;
    recounted += figures.recounted;
    const what = waiting > 0 ? 'work that waits' : 'work that arrives';
    log(`durable, ${what}: ${round(figures.perSecond, 0)}/s, ${figures.recounted} recounted after the kill`);
    return figures.perSecond;
  };
  try {
    for (let count = 0; count < rounds; count += 1) {
      const file = path.join(folder, `arriving-${count}.sqlite`);
      arriving.push(await run(file, 0));
      bare.push(bareSqlitePerSecond(file, path.join(folder, `bare-${count}.sqlite`)));
      rates.push(await run(path.join(folder, `waiting-${count}.sqlite`), nodes * 6));
    }
    return {
      perSecond: median(rates),
      bestPerSecond: round(Math.max(...rates), 0),
      arrivingPerSecond: round(median(arriving), 0),
      arrivingBestPerSecond: round(Math.max(...arriving), 0),
      acknowledged,
      recounted,
      nodes,
      bare: median(bare),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
