import type { QueueView, Quota } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import {
  amountOf,
  describeAmount,
  NOTHING,
  type Amounts,
  type Dimension,
} from '../scheduler/queues/amounts.ts';
import type { Queue } from '../scheduler/queues/queue-tree.ts';
import { QueueUsage } from '../scheduler/queues/queue-usage.ts';
import { alike, queueSituation, queueState, type QueueSituation } from './queue-situation.ts';
import { quotaOfAmounts } from './quota.ts';

const GPU_WORTH = 1_000_000;

/** Counts in a queue without children. */
interface Counts {
  readonly running: ReadonlyMap<string, number>;
  readonly waiting: ReadonlyMap<string, number>;
}

/** All queues as people see them, parents before their children. */
export function queueViews(core: FleetCore): readonly QueueView[] {
  core.accounts.advance();
  const waiting = [...core.pending.demand.all()];
  const usage = core.queues.regime.isPlain ? countedNow(core) : core.accounts.usage;
  const situation = queueSituation({ ...queueState(core), usage }, alike(core.nodes.snapshot()), waiting);
  const counts = {
    running: new Map(situation.tree.parentsFirst.map(({ name }) => [name, core.accounts.runningIn(name)])),
    waiting: sums(waiting.map(({ queue, count }) => [queue, count])),
  };
  return situation.tree.parentsFirst.map((queue) => viewOf(core, situation, queue, counts));
}

/** With one queue nothing is counted while it runs. */
function countedNow({ queues, accounts }: FleetCore): QueueUsage {
  const { tree, worth } = queues.regime;
  const usage = new QueueUsage(tree, worth);
  for (const [, { queue, amounts }] of accounts.charges()) usage.charge(queue, amounts, true);
  return usage;
}

function viewOf(core: FleetCore, situation: QueueSituation, queue: Queue, counts: Counts): QueueView {
  const { name, children, weight, priorityClass } = queue;
  const record = core.queues.get(name);
  const { usage, shares } = situation;
  const used = usage.used(name);
  const borrowed = beyond(situation, queue);
  const figures = {
    running: total(queue, counts.running),
    waiting: total(queue, counts.waiting),
    lenders: lendersTo(situation, queue, borrowed),
  };
  return {
    ...record,
    ...{ queue: name, children: children.map((child) => child.name), weight, priorityClass },
    defaultPriority: record.defaultPriority ?? 0,
    preemptible: record.preemptible ?? true,
    used: quotaOfAmounts(used),
    fairShare: quotaOfAmounts(shares.get(name) ?? NOTHING),
    recentGpus: Number((core.accounts.history.mean(name) / GPU_WORTH).toFixed(3)),
    ...figures,
    borrowed: quotaOfAmounts(borrowed),
    message: describe(situation, queue, borrowed, figures),
  };
}

function total({ name, children }: Queue, counts: ReadonlyMap<string, number>): number {
  return children.reduce((sum, child) => sum + total(child, counts), counts.get(name) ?? 0);
}

function sums(entries: readonly (readonly [string, number])[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [name, count] of entries) counts.set(name, (counts.get(name) ?? 0) + count);
  return counts;
}

/** What it uses beyond what it is guaranteed; nothing where nobody is guaranteed anything. */
function beyond({ usage, worth, tree }: QueueSituation, { name, guaranteed }: Queue): Amounts {
  const isShared = (dimension: Dimension): boolean =>
    tree.top.some((queue) => amountOf(queue.guaranteed, dimension) > 0);
  const borrowed = new Map<Dimension, number>();
  for (const [dimension, amount] of usage.used(name)) {
    const excess = amount - amountOf(guaranteed, dimension);
    if (excess > 0 && worth.governs(dimension) && isShared(dimension)) borrowed.set(dimension, excess);
  }
  return borrowed;
}

function lendersTo(
  { tree, usage }: QueueSituation,
  queue: Queue,
  borrowed: Amounts,
): { queue: string; lends: Quota }[] {
  const siblings = queue.path[1]?.children ?? tree.top;
  return siblings.flatMap((sibling) => {
    if (sibling === queue) return [];
    const lent = new Map<Dimension, number>();
    for (const dimension of borrowed.keys()) {
      const idle = amountOf(sibling.guaranteed, dimension) - amountOf(usage.used(sibling.name), dimension);
      if (idle > 0) lent.set(dimension, idle);
    }
    return lent.size > 0 ? [{ queue: sibling.name, lends: quotaOfAmounts(lent) }] : [];
  });
}

function describe(
  { usage, shares, worth }: QueueSituation,
  { name, limit }: Queue,
  borrowed: Amounts,
  { waiting, lenders }: { readonly waiting: number; readonly lenders: readonly { readonly queue: string }[] },
): string {
  const used = usage.used(name);
  const over = [...limit].filter(([dimension, most]) => amountOf(used, dimension) > most);
  const full = [...limit].filter(([dimension, most]) => amountOf(used, dimension) === most && most > 0);
  const share = list([...(shares.get(name) ?? NOTHING)].filter(([dimension]) => worth.governs(dimension)));
  const uses = list(speaking(used, (dimension) => worth.governs(dimension), limit));
  const idle = lenders.length > 0 ? ` while ${named(lenders)} do not use all that they are guaranteed` : '';
  const sentences = [
    `Queue ${name} uses ${uses || 'nothing'}${share ? `; its fair share is ${share}` : ''}.`,
    ...over.map(
      ([dimension, most]) =>
        `That is more than its limit of ${describeAmount(dimension, most)}: nothing is stopped for that, ` +
        'and nothing more starts until enough has ended.',
    ),
    ...full.map(([dimension, most]) => `It has reached its limit of ${describeAmount(dimension, most)}.`),
    borrowed.size > 0 ? `It borrows ${list([...borrowed])}${idle}.` : '',
    waiting > 0 ? `${waiting} ${waiting === 1 ? 'workload waits' : 'workloads wait'}.` : '',
  ];
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

/** What is shared out or limited; the rest is counted, but says nothing. */
function speaking(
  used: Amounts,
  governs: (dimension: Dimension) => boolean,
  limit: Amounts,
): readonly (readonly [Dimension, number])[] {
  return [...used].filter(
    ([dimension, amount]) => amount > 0 && (governs(dimension) || limit.has(dimension)),
  );
}

function list(entries: readonly (readonly [Dimension, number])[]): string {
  return entries.map(([dimension, amount]) => describeAmount(dimension, amount)).join(', ');
}

function named(queues: readonly { readonly queue: string }[]): string {
  return queues.map(({ queue }) => queue).join(', ');
}
