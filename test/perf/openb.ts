// GPU allocation on a production trace (openb: 1,213 nodes, 6,212 GPUs), by the rule of Weng et al., "Beware
// of Fragmentation", USENIX ATC 2023: pods come one by one in a random order until they ask for 130 % of all
// GPUs; each is placed at once or dropped, and nothing moves. Beside our scorer our own Random and BestFit,
// whose distance from the published figures says how well the replay follows theirs.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { seededRandom } from '@clawbernetes/kernel';
import {
  OptionError,
  type BenchmarkOptions,
  type BenchmarkReport,
  type Figures,
} from '../../tools/bench/benchmark.ts';
import { BestFit, Packing, RandomChoice } from './support/openb/policies.ts';
import { replay, type ReplayResult } from './support/openb/replay.ts';
import { arrivalsOf, readFleet, readPods } from './support/openb/trace.ts';
import { round } from './support/statistics.ts';

export const options = {
  /** A node list, a pod list: CSV files of the form of the trace. */
  nodes: { type: 'string' },
  pods: { type: 'string' },
  seeds: { type: 'string' },
} as const;

const DATA = path.resolve(import.meta.dirname, '../../../shared/data/openb');
const LOAD = 1.3;
const FIRST_SEED = 42;
const MAX_SEEDS = 1000;

/** Percent at 130 %, the mean of ten seeds, as published with the paper. */
const PUBLISHED: Readonly<
  Record<string, { readonly random: number; readonly bestFit: number; readonly fgd: number }>
> = {
  default: { random: 87.47, bestFit: 93.08, fgd: 95.39 },
  gpuspec33: { random: 86.46, bestFit: 93.09, fgd: 94.55 },
  multigpu50: { random: 90.27, bestFit: 95.74, fgd: 97.18 },
  gpushare100: { random: 79.44, bestFit: 85.01, fgd: 86.9 },
};

export default async function measure({ small, log, values }: BenchmarkOptions): Promise<BenchmarkReport> {
  const nodes = values['nodes'] ?? path.join(DATA, 'openb_node_list_gpu_node.csv');
  const seeds = seedCount(values['seeds'] ?? (small ? '1' : '10'));
  const lists =
    values['pods'] === undefined ? Object.keys(PUBLISHED).slice(0, small ? 1 : undefined) : [values['pods']];
  const missing = [nodes, ...lists.map(podFile)].find((file) => !existsSync(file));
  if (missing !== undefined) {
    const asked = [values['nodes'], values['pods']].includes(missing);
    if (asked)
      throw new OptionError(`There is no file ${missing}. Name a CSV file of the form of the trace.`);
    log(
      `skipped: there is no ${path.basename(missing)}. Name the lists of the trace with --nodes and --pods.`,
    );
    return { results: {}, peers: {}, ratios: {} };
  }
  const reports = lists.map((list) => listReport(nodes, list, seeds, log));
  const [first, ...others] = reports;
  if (!first) throw new Error('There is a list at least.');
  const results = {
    ...first.results,
    others: Object.fromEntries(others.map(({ list, results: figures }) => [list, figures])),
  };
  const peers = {
    ...first.peers,
    others: Object.fromEntries(others.map(({ list, peers: figures }) => [list, figures])),
  };
  return { results, peers, ratios: first.ratios };
}

function podFile(list: string): string {
  return list in PUBLISHED ? path.join(DATA, `openb_pod_list_${list}.csv`) : list;
}

function seedCount(text: string): number {
  const seeds = Number(text);
  if (Number.isInteger(seeds) && seeds >= 1 && seeds <= MAX_SEEDS) return seeds;
  throw new OptionError(`--seeds is ${text}; it is a whole number from 1 to ${MAX_SEEDS}.`);
}

function listReport(nodeFile: string, list: string, seeds: number, log: (line: string) => void) {
  const fleet = readFleet(nodeFile);
  const pods = readPods(podFile(list));
  const [ours, randoms, fits]: [ReplayResult[], ReplayResult[], ReplayResult[]] = [[], [], []];
  let decisions = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + seeds; seed += 1) {
    const arrivals = arrivalsOf(pods, fleet, LOAD, seed);
    decisions += arrivals.length;
    ours.push(replay(fleet, arrivals, new Packing(fleet)));
    randoms.push(replay(fleet, arrivals, new RandomChoice(fleet, seededRandom(seed))));
    fits.push(replay(fleet, arrivals, new BestFit(fleet)));
  }
  const seconds = mean(ours, 'seconds');
  log(`${list}: ${mean(ours, 'atEnd').toFixed(2)} % at 130 %, ${seconds.toFixed(1)} s a run`);
  const published = PUBLISHED[list];
  const peers: Figures = {
    random: round(mean(randoms, 'atEnd'), 2),
    bestFit: round(mean(fits, 'atEnd'), 2),
    ...(published && {
      published,
      randomOffPublished: round(mean(randoms, 'atEnd') - published.random, 2),
      bestFitOffPublished: round(mean(fits, 'atEnd') - published.bestFit, 2),
    }),
  };
  return {
    list,
    results: {
      allocationPercentAt100: round(mean(ours, 'at100'), 2),
      allocationPercentAt130: round(mean(ours, 'atEnd'), 2),
      fragmentationPercent: round(mean(ours, 'fragmentation'), 2),
      dropped: round(mean(ours, 'dropped'), 0),
      seconds: round(seconds, 2),
      slowestSeconds: round(Math.max(...ours.map((run) => run.seconds)), 2),
      decisionsPerSecond: round(decisions / seeds / seconds, 0),
      seeds,
    },
    peers,
    ratios: published ? { percentOverPublishedBest: round(mean(ours, 'atEnd') - published.fgd, 2) } : {},
  };
}

function mean(runs: readonly ReplayResult[], field: keyof ReplayResult): number {
  return runs.reduce((sum, run) => sum + run[field], 0) / runs.length;
}
