import type { Epoch, ReservationPurpose, RunningPolicy } from '@clawbernetes/protocol';
import type { Row, RowChange } from '@clawbernetes/storage';
import type { CalendarReservation } from '../scheduler/calendar/calendar-reservation.ts';

/** What is stored of a reservation. */
export interface ReservationRecord extends CalendarReservation {
  readonly purpose: ReservationPurpose;
  readonly running: RunningPolicy;
  readonly noticeMs: number;
  readonly createdAtMs: number;
  /** Attempts of a later epoch were placed when it was there: they had to end before its start. */
  readonly epoch: Epoch;
  /** What was asked for, in canonical JSON: the same again is the same reservation. */
  readonly request: string;
  /** Its start was told. */
  readonly hasBegun?: boolean;
}

export function reservationRow({ name, ...data }: ReservationRecord): RowChange {
  return { table: 'reservation', upsert: { name, data: JSON.stringify(data) } };
}

export function readReservation(row: Row): ReservationRecord {
  const data = JSON.parse(String(row['data'])) as Omit<ReservationRecord, 'name'>;
  return { name: String(row['name']), ...data };
}
