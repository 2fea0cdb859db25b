import type { FleetCore } from '../../fleet-core.ts';
import type { WorkloadRecord } from '../../records.ts';
import type { Placement } from '../../scheduler/placement.ts';
import { addTo, type Dimension } from '../../scheduler/queues/amounts.ts';
import { amountsPlaced } from '../../scheduler/queues/asked-amounts.ts';

/** Whether a gang's queue lets it have these members on top of what it has. */
export function withinLimits(
  { accounts, queues: { regime } }: Pick<FleetCore, 'accounts' | 'queues'>,
  { spec }: WorkloadRecord,
  places: readonly Placement[],
): boolean {
  if (regime.isPlain) return true;
  const queue = regime.queueOf({ queue: spec.queue });
  const asked = new Map<Dimension, number>();
  for (const place of places) addTo(asked, amountsPlaced(place, regime.classes), 1);
  return accounts.usage.stopOf(queue, asked, regime.isPreemptible(queue)) === undefined;
}
