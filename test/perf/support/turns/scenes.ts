import type { FleetFigures, Sliced, WorkloadRecord } from '@clawbernetes/fleet';
import { workloadSpecSchema, type QueueSettings, type WorkloadSpecInput } from '@clawbernetes/protocol';
import { GPUS_OF_BENCH_NODE } from '../bench-node.ts';
import { TurnFleet } from './turn-fleet.ts';

type Spec = Partial<WorkloadSpecInput>;

const BASE_CPU_MILLI = 100;
const IN_OTHER: Spec = { queue: 'other' };

function gpus(count: number, more: Spec = {}): Spec {
  return { resources: { gpus: count, cpuMilli: BASE_CPU_MILLI, memoryMib: 64 }, ...more };
}

/** Of another shape for every index below 20,000. */
function distinct(count: number, index: number, more: Spec = {}): Spec {
  const [cpu, memory] = [index % 1000, Math.floor(index / 1000)];
  const resources = { gpus: count, cpuMilli: BASE_CPU_MILLI + cpu, memoryMib: 64 + memory };
  return { resources, ...more };
}

/** Fills the fleet but for the first node, which gets eight of one GPU. */
async function fill(bench: TurnFleet, nodes: number, more: Spec = {}): Promise<void> {
  await bench.submitAll(nodes - 1, () => gpus(GPUS_OF_BENCH_NODE, more));
  await bench.submitAll(GPUS_OF_BENCH_NODE, () => gpus(1, more));
}

/** The node on which eight workloads run. */
function nodeOfMany({ fleet }: TurnFleet): string {
  const node = fleet.nodes().find(({ id }) => fleet.liveAttempts(id).length === GPUS_OF_BENCH_NODE);
  if (!node) throw new Error('no node was filled one by one');
  return node.id;
}

/**
 * One GPU of a full fleet becomes free while so many shapes wait. `lack`: all ask for more GPUs. `fit`: any
 * could take it. `hinder`: by numbers each fits, but asks for a label that the node has not. `limited`: they
 * lack GPUs, and queues have limits. `stopped`: the limit of their queue is reached. `firm`: the guarantee of
 * their queue is, beyond which they may not borrow. `raised`: nothing becomes free, but that limit is raised.
 */
const FREED = {
  lack: (index: number) => distinct(2 + (index % 7), index),
  fit: (index: number) => distinct(1, index),
  hinder: (index: number) => distinct(1, index, { nodeSelector: { zone: 'none' } }),
  limited: (index: number) => distinct(2 + (index % 7), index),
  stopped: (index: number) => distinct(1, index, IN_OTHER),
  firm: (index: number) => distinct(1, index, IN_OTHER),
  raised: (index: number) => distinct(1, index, IN_OTHER),
} as const satisfies Record<string, (index: number) => Spec>;

type Freed = keyof typeof FREED;

export const FREED_KINDS: readonly Freed[] = [
  'lack',
  'fit',
  'hinder',
  'limited',
  'stopped',
  'firm',
  'raised',
];

/** Of queue `other`. */
function settingsOf(kind: Freed, most: number): QueueSettings | undefined {
  if (kind === 'firm') return { guaranteed: { gpus: most }, preemptible: false };
  return kind === 'limited' || kind === 'stopped' || kind === 'raised'
    ? { limit: { gpus: most } }
    : undefined;
}

export async function freedNode(
  kind: Freed,
  { nodes, shapes }: { readonly nodes: number; readonly shapes: number },
): Promise<number> {
  await using bench = await TurnFleet.open(nodes);
  const most = nodes * GPUS_OF_BENCH_NODE;
  const settings = settingsOf(kind, most);
  const { queues } = bench.fleet;
  if (settings) queues.create({ queue: 'other', settings });
  await fill(bench, nodes, kind === 'limited' || !settings ? {} : IN_OTHER);
  await bench.submitAll(shapes, FREED[kind]);
  const nodeId = nodeOfMany(bench);
  const raise = (): void => void queues.update({ queue: 'other', settings: { limit: { gpus: 2 * most } } });
  return await bench.longestSliceMs(() => (kind === 'raised' ? raise() : bench.end(nodeId)));
}

/** Everything runs in queues without a claim, one GPU each; then something comes that may have it. */
export async function firstLook(ground: 'priority' | 'guarantee', nodes: number): Promise<number> {
  await using bench = await TurnFleet.open(nodes);
  const queues = ground === 'guarantee';
  if (queues) {
    bench.fleet.queues.create({ queue: 'owner', settings: { guaranteed: { gpus: nodes } } });
    bench.fleet.queues.create({ queue: 'guest', settings: {} });
  }
  const low: Spec = queues ? { queue: 'guest' } : { priority: 1 };
  await bench.submitAll(nodes * GPUS_OF_BENCH_NODE, () => gpus(1, low));
  let winner: WorkloadRecord | undefined;
  const high: Spec = queues ? { queue: 'owner' } : { priority: 9 };
  const longestMs = await bench.longestSliceMs(() => (winner = bench.submit(gpus(GPUS_OF_BENCH_NODE, high))));
  assertRoomWasMade(bench, winner, 1);
  return longestMs;
}

export async function gangPreemption(nodes: number, members: number): Promise<number> {
  await using bench = await TurnFleet.open(nodes);
  await bench.submitAll(nodes, () => gpus(GPUS_OF_BENCH_NODE, { priority: 1 }));
  let winner: WorkloadRecord | undefined;
  const topology = { level: 'rack', mode: 'required' } as const;
  const gang: Spec = { priority: 9, gang: { members, topology } };
  const longestMs = await bench.longestSliceMs(() => (winner = bench.submit(gpus(GPUS_OF_BENCH_NODE, gang))));
  assertRoomWasMade(bench, winner, members);
  return longestMs;
}

function assertRoomWasMade({ fleet }: TurnFleet, winner: WorkloadRecord | undefined, least: number): void {
  const evicted = fleet.nodes().flatMap(({ id }) => fleet.liveAttempts(id).filter(({ evicted: by }) => by));
  if (evicted.length < least) throw new Error(`${evicted.length} make room for ${winner?.name}`);
}

/**
 * Somebody asks why a workload waits in a full fleet, or what if. `why`: nothing has a time limit.
 * `whyLimited`: all that runs has one, and a thousand others have waited longer. `whyQueue`: the limit of its
 * queue keeps it waiting, and a thousand others. `whyRoom`: whoever might have to go for it is looked at.
 * `whyGang`: it is a gang, and what runs has time limits. `whatIf`: more work, without a node and something
 * that runs.
 */
export const QUESTIONS = ['why', 'whyLimited', 'whyQueue', 'whyRoom', 'whyGang', 'whatIf'] as const;
type Question = (typeof QUESTIONS)[number];

export async function asked(question: Question, nodes: number): Promise<number> {
  await using bench = await TurnFleet.open(nodes);
  const { queues, questions } = bench.fleet;
  const isLimited = question === 'whyLimited' || question === 'whyGang';
  const isQueue = question === 'whyQueue';
  if (isQueue) queues.create({ queue: 'other', settings: { limit: { gpus: nodes * 4 } } });
  if (question === 'whyRoom') queues.create({ queue: 'other', settings: { guaranteed: { gpus: nodes } } });
  const inQueue: Spec = isQueue ? { queue: 'other' } : {};
  await bench.submitAll(nodes, (index) =>
    gpus(GPUS_OF_BENCH_NODE - (index % 3), {
      ...(isLimited ? { timeoutMs: 3_600_000 + index * 1000 } : {}),
      ...(isQueue && index % 2 === 0 ? inQueue : {}),
    }),
  );
  if (question === 'whyLimited' || isQueue)
    await bench.submitAll(1000, (index) => distinct(GPUS_OF_BENCH_NODE, index, inQueue));
  const gang: Spec = question === 'whyGang' ? { gang: { members: 64 } } : {};
  const last = bench.submit(gpus(GPUS_OF_BENCH_NODE, { ...inQueue, ...gang }));
  let answered: unknown;
  const ask = async (): Promise<void> => {
    answered = question === 'whatIf' ? await whatIf(bench) : (await questions.whyInTurns(last, [])).waiting;
  };
  const longestMs = await bench.longestSliceMs(() => void ask());
  if (answered === undefined) throw new Error('it was not answered, or does not wait');
  return longestMs;
}

function whatIf({ fleet }: TurnFleet): Promise<unknown> {
  const [first] = fleet.nodes();
  const running = fleet.workloads('default').filter(({ state }) => state !== 'queued');
  const spec = workloadSpecSchema.parse({ command: ['true'], ...gpus(GPUS_OF_BENCH_NODE) });
  return fleet.questions.whatIfInTurns({
    ...{ namespace: 'default', spec, count: 4, drained: first ? [first] : [], ended: running.slice(-2) },
  });
}

/** A monitor asks for figures of all nodes and GPUs, as it does for `GET /metrics`. */
export async function survey(nodes: number): Promise<number> {
  await using bench = await TurnFleet.open(nodes);
  await bench.submitAll(nodes * GPUS_OF_BENCH_NODE, () => gpus(1));
  let counted = 0;
  const ask = async (): Promise<void> => {
    counted = await bench.fleet.questions.survey.ask(countGpus, { namespace: 'default' });
  };
  const longestMs = await bench.longestSliceMs(() => void ask());
  if (counted !== nodes * GPUS_OF_BENCH_NODE) throw new Error(`${counted} GPUs were counted`);
  return longestMs;
}

function* countGpus({ gpuMilli }: FleetFigures): Sliced<number> {
  yield 0;
  return gpuMilli.values().reduce((sum, milli) => sum + milli, 0) / 1000;
}

/** Nothing happens: what the fleet does twice a second. */
export async function idle(nodes: number): Promise<number> {
  await using bench = await TurnFleet.open(nodes);
  await bench.submitAll(nodes, () => gpus(GPUS_OF_BENCH_NODE));
  return await bench.longestSliceMs(() => undefined);
}
