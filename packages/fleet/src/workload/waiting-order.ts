import type { PendingShape } from '../scheduler/plan.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { compareTurns, FirstInTurn } from './turn-line.ts';
import { idsBefore, type WaitingGroup } from './waiting-group.ts';

/** The workload at which an order ends, and where it waits. */
export interface OrderEnd {
  readonly workloadId: string;
  readonly group: WaitingGroup | undefined;
}

/** In the order in which they are placed, at most `limit` workloads; with `end` only those before it. */
export function firstInOrder(
  groups: Iterable<WaitingGroup>,
  limit: number,
  end: OrderEnd | undefined,
): readonly PendingShape[] {
  const found: PendingShape[] = [];
  let left = limit;
  const last = end?.group;
  const first = new FirstInTurn<WaitingGroup>(limit);
  for (const group of groups) if (!last || compareTurns(group, last) <= 0) first.add(group);
  for (const { entry: group } of first.inOrder()) {
    if (left <= 0) break;
    const { key, shape } = group;
    const ids = group.workloads.ids().take(left);
    const workloadIds = group === last ? [...idsBefore(ids, end?.workloadId)] : [...ids];
    if (workloadIds.length > 0) found.push({ key, shape, workloadIds });
    left -= workloadIds.length;
  }
  return found;
}

/**
 * The first `limit` groups of each queue, with so many workloads of each at most; with `last` none behind it
 * in its queue.
 */
export function firstOfQueues(
  groups: Iterable<WaitingGroup>,
  limit: number,
  last: WaitingGroup | undefined,
): readonly QueuedShape[] {
  const byQueue = new Map<string, FirstInTurn<WaitingGroup>>();
  for (const group of groups) {
    if (last?.queue === group.queue && compareTurns(group, last) > 0) continue;
    const first = byQueue.get(group.queue) ?? new FirstInTurn<WaitingGroup>(limit);
    byQueue.set(group.queue, first);
    first.add(group);
  }
  return Array.from(byQueue.values(), (first) => first.inOrder()).flatMap((places) =>
    places.map(({ entry }) => entry.queued(limit)),
  );
}
