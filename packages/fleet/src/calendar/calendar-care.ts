import type { FleetCore } from '../fleet-core.ts';
import { formatTime } from '../scheduler/why/reserved-words.ts';
import { evict } from '../workload/evict.ts';
import { outlastingOf } from './outlasting.ts';
import { MendHolds } from './mend-holds.ts';
import { giveUp } from './reservation-administration.ts';
import { reservationRow, type ReservationRecord } from './reservation-record.ts';

/** No grace is longer, ms: before that nothing of a reservation is due. */
const MAX_GRACE_MS = 3_600_000;
/** Between two looks at what runs on what a reservation holds, ms. */
const LOOK_EVERY_MS = 1000;

/** What time makes due of reservations: their start, who has to make way for it, and their end. */
export class CalendarCare {
  readonly #core: FleetCore;
  readonly #mayMove: () => boolean;
  readonly #mend: MendHolds;
  #nextMs = -Infinity;

  /** @param mayMove whether work may be taken off nodes at all now. */
  constructor(core: FleetCore, mayMove: () => boolean) {
    this.#core = core;
    this.#mayMove = mayMove;
    this.#mend = new MendHolds(core);
  }

  run(): void {
    const { calendar, clock } = this.#core;
    if (calendar.isEmpty) return this.#mend.forget();
    const nowMs = clock.nowMs();
    const isDue = clock.monotonicMs() >= this.#nextMs;
    if (isDue) this.#nextMs = clock.monotonicMs() + LOOK_EVERY_MS;
    for (const reservation of calendar.all()) {
      if (nowMs >= reservation.endMs) this.#end(reservation);
      else {
        if (isDue && nowMs >= reservation.startMs - MAX_GRACE_MS) this.#clear(reservation, nowMs);
        if (nowMs >= reservation.startMs && !reservation.hasBegun) this.#begin(reservation);
        else if (isDue && this.#mayMove()) this.#mend.run(reservation);
      }
    }
  }

  #begin(reservation: ReservationRecord): void {
    const begun = { ...reservation, hasBegun: true };
    this.#core.calendar.put(begun);
    this.#core.writer.write(reservationRow(begun));
    this.#record(reservation, 'began', `It lasts until ${formatTime(reservation.endMs)}.`);
  }

  #end(reservation: ReservationRecord): void {
    giveUp(this.#core, reservation);
    this.#record(reservation, 'ended', 'What it held is free for all.');
  }

  /** Asks what is in the way to end, as soon as it is time to. */
  #clear(reservation: ReservationRecord, nowMs: number): void {
    if (!this.#mayMove()) return;
    const { name, startMs } = reservation;
    for (const { attempt, stopsAtMs } of outlastingOf(this.#core, reservation)) {
      if (stopsAtMs === undefined || nowMs < stopsAtMs) continue;
      const message = `reservation ${name} holds it from ${formatTime(startMs)} on.`;
      evict(this.#core, attempt, 'scheduler', message, { reservation: name });
    }
  }

  #record({ name }: ReservationRecord, change: 'began' | 'ended', what: string): void {
    this.#core.writer.record({
      namespace: 'default',
      type: `reservation.${change}`,
      subject: name,
      cause: 'system',
      message: `Reservation ${name} ${change}. ${what}`,
    });
  }
}
