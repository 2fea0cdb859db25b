import type { PendingShape } from '../scheduler/plan.ts';
import { TurnLine } from './turn-line.ts';
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
  const line = new TurnLine<WaitingGroup>();
  for (const group of groups) line.push(group);
  for (let group = line.take(); group && left > 0; group = line.take()) {
    const { key, shape } = group;
    const ids = group.workloads.ids().take(left);
    const workloadIds = group === end?.group ? [...idsBefore(ids, end.workloadId)] : [...ids];
    if (workloadIds.length > 0) found.push({ key, shape, workloadIds });
    left -= workloadIds.length;
    if (group === end?.group) break;
  }
  return found;
}
