// Not a test: a fleet of racks with so many equal slots, some of them held by running work, as a timeline.
import type {
  CapacityTimeline,
  EndBound,
  EndEstimate,
  Reservation,
  Span,
  TimedWork,
} from '../../../src/scheduler/queues/reservation.ts';

export interface SlotWork extends TimedWork {
  /** Slots of one member. */
  readonly slots: number;
}

export interface SlotRack {
  readonly slots: number;
  readonly running: readonly { readonly slots: number; readonly ends: EndEstimate }[];
}

/** Rack `n` is the domain of that name. */
export class SlotTimeline implements CapacityTimeline<SlotWork> {
  readonly #racks: ReadonlyMap<string, SlotRack>;
  asked = 0;

  constructor(racks: readonly SlotRack[]) {
    this.#racks = new Map(racks.map((rack, at) => [`${at}`, rack]));
  }

  members(
    domainId: string,
    work: SlotWork,
    span: Span,
    reserved: readonly Reservation<SlotWork>[],
    ends: EndBound,
  ): number {
    this.asked += 1;
    const free = (at: number): number => this.freeAt(domainId, at, reserved, ends);
    // Free slots change at these moments only.
    const moments = [span.fromMs, ...reserved.map(({ fromMs }) => fromMs)];
    const inside = moments.filter((at) => at >= span.fromMs && at < span.toMs);
    return Math.floor(Math.min(...inside.map(free)) / work.slots);
  }

  endsMs(domainId: string, ends: EndBound): readonly number[] {
    return this.#racks.get(domainId)!.running.map((run) => run.ends[ends]);
  }

  freeAt(domainId: string, atMs: number, reserved: readonly Reservation<SlotWork>[], ends: EndBound): number {
    const { slots, running } = this.#racks.get(domainId)!;
    const busy = running.reduce((sum, run) => sum + (run.ends[ends] > atMs ? run.slots : 0), 0);
    const held = reserved
      .filter((one) => one.domainId === domainId && one.fromMs <= atMs && atMs < one.toMs)
      .reduce((sum, { work }) => sum + (work ? work.members * work.slots : slots), 0);
    return slots - busy - held;
  }
}
