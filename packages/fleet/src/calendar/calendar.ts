import type { Clock } from '@clawbernetes/kernel';
import type { Row } from '@clawbernetes/storage';
import {
  isOfQueues,
  withholds,
  type HeldCapacity,
  type TimedUse,
} from '../scheduler/calendar/calendar-reservation.ts';
import { withoutReserved, type Withheld } from '../scheduler/calendar/without-reserved.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { WorkloadTable } from '../workload/workload-table.ts';
import { readReservation, type ReservationRecord } from './reservation-record.ts';

/** A part of a node that is reserved. */
export interface ReservedPart {
  readonly reservation: ReservationRecord;
  readonly held: HeldCapacity;
}

export interface CalendarDeps {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly workloads: Pick<WorkloadTable, 'liveOn'>;
}

const NOTHING: readonly ReservedPart[] = [];

/** Reservations in memory, and what they keep on each node. Rows are written by whoever edits them. */
export class Calendar {
  readonly #deps: CalendarDeps;
  #reservations: readonly ReservationRecord[] = [];
  readonly #onNode = new Map<string, readonly ReservedPart[]>();

  constructor(deps: CalendarDeps) {
    this.#deps = deps;
  }

  load(rows: readonly Row[]): void {
    for (const row of rows) this.put(readReservation(row));
  }

  get isEmpty(): boolean {
    return this.#reservations.length === 0;
  }

  /** The earliest start first. */
  all(): readonly ReservationRecord[] {
    return this.#reservations;
  }

  get(name: string): ReservationRecord | undefined {
    return this.#reservations.find((reservation) => reservation.name === name);
  }

  nodeIds(): MapIterator<string> {
    return this.#onNode.keys();
  }

  on(nodeId: string): readonly ReservedPart[] {
    return this.#onNode.get(nodeId) ?? NOTHING;
  }

  put(reservation: ReservationRecord): void {
    this.remove(reservation.name);
    this.#reservations = [...this.#reservations, reservation].toSorted(byStart);
    for (const held of reservation.held)
      this.#onNode.set(held.nodeId, [...this.on(held.nodeId), { reservation, held }]);
  }

  remove(name: string): void {
    const gone = this.get(name);
    if (!gone) return;
    this.#reservations = this.#reservations.filter((reservation) => reservation !== gone);
    for (const { nodeId } of gone.held) {
      const rest = this.on(nodeId).filter(({ reservation }) => reservation !== gone);
      if (rest.length > 0) this.#onNode.set(nodeId, rest);
      else this.#onNode.delete(nodeId);
    }
  }

  /** The node less what is kept there from such a use; without one, from whoever has no right to any. */
  reduced(view: SnapshotNode, use?: TimedUse): SnapshotNode {
    const parts = this.#onNode.get(view.id);
    if (!parts) return view;
    const withheld = parts
      .filter(({ reservation }) => !use || withholds(reservation, use))
      .map(({ reservation, held }) => withheldFrom(reservation, held, use));
    const { workloads, clock } = this.#deps;
    return withoutReserved(view, withheld, workloads.liveOn(view.id), clock.nowMs());
  }
}

function byStart(one: ReservationRecord, other: ReservationRecord): number {
  return one.startMs - other.startMs || (one.name < other.name ? -1 : 1);
}

/** Its own queues wait for its start only. */
function withheldFrom(
  { name, startMs, endMs, queues }: ReservationRecord,
  held: HeldCapacity,
  use: TimedUse | undefined,
): Withheld {
  const untilMs = use && isOfQueues(use.queue, queues) ? startMs : endMs;
  return { reservation: { name, startMs, untilMs }, endMs, held };
}
