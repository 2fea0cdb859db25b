// A gateway that is killed with -9 again and again while thousands of agents are connected to it over real
// sockets, work is submitted and stopped: what was acknowledged must be there afterwards, once. Also what the
// fleet costs while nothing happens, and how soon a gateway with all its workloads serves again.
import { setTimeout as pause } from 'node:timers/promises';
import { errorCode, seededRandom } from '@clawbernetes/kernel';
import type { WorkloadView } from '@clawbernetes/protocol';
import {
  OptionError,
  type BenchmarkOptions,
  type BenchmarkReport,
  type Figures,
} from '../../tools/bench/benchmark.ts';
import { BenchFleet } from './support/bench-fleet.ts';
import { cpuSeconds, residentMib } from './support/process-usage.ts';
import { median, round } from './support/statistics.ts';

export const options = {
  agents: { type: 'string' },
  workloads: { type: 'string' },
  kills: { type: 'string' },
} as const;

/** Requests under way at once. */
const LANES = 64;
/** Runs until it is stopped. */
const ENDLESS = { command: ['sleep'], env: { VIRTUAL_MS: 'Infinity' }, resources: { cpuMilli: 1000 } };
/** All agents know within so long that the gateway is back, and it what they run. */
const SETTLED_WITHIN_MS = 120_000;
const LONGEST_LIFE_MS = 3000;
const SEED = 11;

interface Sizes {
  readonly agents: number;
  readonly workloads: number;
  readonly kills: number;
  readonly idleSeconds: number;
}

const SMALL: Sizes = { agents: 20, workloads: 100, kills: 2, idleSeconds: 2 };
const FULL: Sizes = { agents: 5000, workloads: 50_000, kills: 10, idleSeconds: 60 };

export default async function measure({ small, log, values }: BenchmarkOptions): Promise<BenchmarkReport> {
  const sizes = sizesOf(small ? SMALL : FULL, values);
  const cores = Math.ceil((1.5 * sizes.workloads) / sizes.agents);
  await using fleet = await BenchFleet.open({ agents: sizes.agents, work: 'virtual', cores });
  log(`${sizes.agents} agents are connected`);
  const load = new Load(fleet);
  const startMs = performance.now();
  await load.submit(sizes.workloads);
  await settled(fleet, sizes, load);
  log(`${sizes.workloads} workloads run after ${round((performance.now() - startMs) / 1000)} s`);
  const idle = await idleFigures(fleet, sizes);
  const crashes = await crashFigures(fleet, sizes, load, log);
  return { results: { ...sizes, ...idle, ...crashes }, peers: {}, ratios: {} };
}

function sizesOf(sizes: Sizes, values: BenchmarkOptions['values']): Sizes {
  const size = (name: 'agents' | 'workloads' | 'kills'): number => {
    const value = Number(values[name] ?? sizes[name]);
    if (Number.isSafeInteger(value) && value > 0) return value;
    throw new OptionError(`--${name} is ${values[name]}. Give a whole number above 0.`);
  };
  return { ...sizes, agents: size('agents'), workloads: size('workloads'), kills: size('kills') };
}

async function idleFigures(fleet: BenchFleet, { idleSeconds }: Sizes): Promise<Figures> {
  const before = cpuSeconds(fleet.gatewayPid);
  await pause(idleSeconds * 1000);
  return {
    gatewayCpuCores: round((cpuSeconds(fleet.gatewayPid) - before) / idleSeconds, 3),
    gatewayRssMiB: round(residentMib(fleet.gatewayPid)),
  };
}

/** Kills the gateway while work comes and goes, and looks at what is left. @throws Error if it is not all. */
async function crashFigures(
  fleet: BenchFleet,
  sizes: Sizes,
  load: Load,
  log: (line: string) => void,
): Promise<Figures> {
  const random = seededRandom(SEED);
  const [servingMs, settledMs]: [number[], number[]] = [[], []];
  for (let kill = 1; kill <= sizes.kills; kill += 1) {
    const churn = load.churn();
    await pause(random.fraction() * LONGEST_LIFE_MS);
    servingMs.push(await fleet.crash());
    const startMs = performance.now();
    await churn.end();
    await settled(fleet, sizes, load);
    settledMs.push(performance.now() - startMs);
    log(`kill ${kill}: serving after ${round(servingMs.at(-1) ?? 0)} ms, ${load.acknowledged} acknowledged`);
  }
  return {
    restartSeconds: round(Math.max(...servingMs) / 1000),
    restartSecondsMedian: round(median(servingMs) / 1000),
    settledSeconds: round(Math.max(...settledMs) / 1000),
    acknowledged: load.acknowledged,
    gatewayRssMiBAfter: round(residentMib(fleet.gatewayPid)),
  };
}

/** What a client was told. */
class Load {
  readonly #fleet: BenchFleet;
  /** By id: whether it was asked to stop. */
  readonly #workloads = new Map<string, { isStopped: boolean }>();
  /** Neither answered nor refused yet. */
  #asked = 0;

  constructor(fleet: BenchFleet) {
    this.#fleet = fleet;
  }

  get acknowledged(): number {
    return this.#workloads.size;
  }

  /** Of those acknowledged, that should run on. */
  running(): readonly string[] {
    return [...this.#workloads].flatMap(([id, { isStopped }]) => (isStopped ? [] : id));
  }

  async submit(count: number): Promise<void> {
    const end = this.#asked + count;
    await inLanes(async () => {
      if (this.#asked >= end) return false;
      await this.#submitOne();
      return true;
    });
  }

  /** Submits one and stops one, over and over, until it is ended. */
  churn(): { readonly end: () => Promise<void> } {
    let isEnding = false;
    const done = inLanes(async () => {
      if (isEnding) return false;
      await this.#submitOne();
      await this.#stopOne();
      return true;
    });
    const end = (): Promise<void> => {
      isEnding = true;
      return done;
    };
    return { end };
  }

  /** @throws Error that tells what is missing or there twice. */
  check(views: ReadonlyMap<string, WorkloadView>, live: readonly string[]): void {
    for (const [id, { isStopped }] of this.#workloads) {
      const view = views.get(id);
      if (!view) throw new Error(`${id} was acknowledged and is gone.`);
      if (!isStopped && view.state !== 'running') throw new Error(`${id} should run and is ${view.state}.`);
      if (isStopped && view.state !== 'cancelled') throw new Error(`${id} was stopped and is ${view.state}.`);
    }
    if (views.size !== this.#workloads.size)
      throw new Error(`${views.size} workloads exist, and ${this.#workloads.size} were asked for.`);
    if (new Set(live).size !== live.length) throw new Error('A workload runs twice.');
  }

  async #submitOne(): Promise<void> {
    this.#asked += 1;
    const { id } = await this.#fleet.client.run(ENDLESS);
    this.#workloads.set(id, { isStopped: false });
  }

  async #stopOne(): Promise<void> {
    const next = this.#workloads.entries().find(([, { isStopped }]) => !isStopped);
    if (!next) return;
    const [workload, facts] = next;
    facts.isStopped = true;
    await persistently(() => this.#fleet.client.command('workload.stop', { workload }));
  }
}

/** Again while the gateway is away: stopping twice is stopping. */
async function persistently(work: () => Promise<unknown>): Promise<void> {
  const deadlineMs = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      const code = errorCode(error);
      const isAway = code === 'gateway-unreachable' || code === 'storage-unavailable';
      if (performance.now() > deadlineMs || !isAway) throw error;
      await pause(100);
    }
  }
}

async function inLanes(step: () => Promise<boolean>): Promise<void> {
  const lane = async (): Promise<void> => {
    while (await step());
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Waits until agents and gateway agree, then checks what they say. */
async function settled(fleet: BenchFleet, { agents }: Sizes, load: Load): Promise<void> {
  const deadlineMs = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const { nodes, workloads } = await fleet.client.command('fleet.status', {});
    const live = await fleet.liveWorkloads();
    const expected = load.running().length;
    if (nodes.schedulable === agents && workloads['running'] === expected && live.length === expected) {
      load.check(await allWorkloads(fleet), live);
      return;
    }
    if (performance.now() > deadlineMs)
      throw new Error(
        `After ${SETTLED_WITHIN_MS / 1000} s ${nodes.schedulable} of ${agents} agents take work, and of ` +
          `${expected} workloads ${workloads['running'] ?? 0} run by the gateway's account and ${live.length} by theirs.`,
      );
    await pause(200);
  }
}

async function allWorkloads({ client }: BenchFleet): Promise<ReadonlyMap<string, WorkloadView>> {
  const views = new Map<string, WorkloadView>();
  for (let cursor: string | undefined; ;) {
    const page = await client.command('workload.list', {
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const view of page.workloads) views.set(view.id, view);
    if (page.next === undefined || page.next === null) return views;
    cursor = page.next;
  }
}
