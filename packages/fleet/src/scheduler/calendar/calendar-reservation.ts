/** What a reservation holds of one node. */
export interface HeldCapacity {
  readonly nodeId: string;
  /** GPUs; absent = the whole node, whatever it has. */
  readonly devices?: readonly string[];
  /** Of the node, with these GPUs. */
  readonly cpuMilli: number;
  readonly memoryMib: number;
}

/** Capacity that people keep for a while; times are those of the wall clock. */
export interface CalendarReservation {
  readonly name: string;
  /** Whose work may use it while it lasts, with that of queues below them; none = nobody's. */
  readonly queues: readonly string[];
  readonly startMs: number;
  /** Over from this ms on. */
  readonly endMs: number;
  readonly held: readonly HeldCapacity[];
}

/** Work that would use capacity from one moment to another; Infinity where nothing ends it. */
export interface TimedUse {
  readonly queue: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Whether a reservation keeps what it holds from such a use: until it begins, from whatever does not end
 * before; while it lasts, from all but its queues.
 */
export function withholds(
  { startMs, endMs, queues }: Omit<CalendarReservation, 'held' | 'name'>,
  { queue, fromMs, toMs }: TimedUse,
): boolean {
  if (toMs <= startMs || fromMs >= endMs) return false;
  return fromMs < startMs || !isOfQueues(queue, queues);
}

/** Whether it is one of these queues, or below one. */
export function isOfQueues(queue: string, queues: readonly string[]): boolean {
  return queues.some((owner) => queue === owner || queue.startsWith(`${owner}/`));
}

export function overlap(
  one: Pick<CalendarReservation, 'startMs' | 'endMs'>,
  other: Pick<CalendarReservation, 'startMs' | 'endMs'>,
): boolean {
  return one.startMs < other.endMs && other.startMs < one.endMs;
}
