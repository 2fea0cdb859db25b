import type { Epoch, ReservationView } from '@clawbernetes/protocol';
import type { StoredAttempt, StoredWorkload } from './stored-row.ts';

export interface StoredReservation {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly queues: readonly string[];
  readonly epoch: Epoch;
  readonly held: readonly { readonly nodeId: string; readonly devices?: readonly string[] }[];
}

/** As people see it. */
export type ShownReservation = Pick<ReservationView, 'name' | 'startMs' | 'endMs' | 'queues' | 'nodes'>;

/** As it was from some row on; without one there is none of this name. */
export interface ReservationVersion {
  readonly name: string;
  readonly reservation: StoredReservation | undefined;
}

/** What one batch does to a reservation. */
interface Step {
  readonly before: StoredReservation | undefined;
  isWritten: boolean;
  /** In the order in which it was told. */
  readonly told: string[];
}

type Spec = { readonly queue?: string; readonly timeoutMs?: number; readonly stopGraceMs?: number };

/**
 * Reservations as they are stored: that none is lost or comes back, that events tell what rows do and the
 * other way round, and whether what is placed leaves them alone; by brute force.
 */
export class ReservationRows {
  /** Of which it was told that they hold something else than before. */
  readonly mended = new Set<string>();
  readonly #violate: (what: string) => void;
  readonly #nodeName: (id: string) => string;
  /** What may be found of each after a crash: as it was known to be stored, and as it was since. */
  readonly #versions = new Map<string, readonly ReservationVersion[]>();
  readonly #steps = new Map<string, Step>();

  constructor(deps: { readonly violate: (what: string) => void; readonly nodeName: (id: string) => string }) {
    this.#violate = deps.violate;
    this.#nodeName = deps.nodeName;
  }

  /** On its way to the store. */
  stored(columns: Readonly<Record<string, unknown>>): ReservationVersion {
    const name = String(columns['name']);
    const reservation = { name, ...(JSON.parse(String(columns['data'])) as Omit<StoredReservation, 'name'>) };
    this.#step(name).isWritten = true;
    this.#checkSame(reservation);
    this.#checkHeldOnce(reservation);
    return this.#add({ name, reservation });
  }

  deleted(name: string): ReservationVersion {
    this.#step(name);
    return this.#add({ name, reservation: undefined });
  }

  /** Of the same batch. @param change the kind of the event. */
  told(change: string, name: string): void {
    this.#step(name).told.push(change);
    if (change === 'mended') this.mended.add(name);
  }

  /** Its rows and events say the same. */
  batchEnded(): void {
    for (const [name, step] of this.#steps) this.#checkTold(name, step);
    this.#steps.clear();
  }

  /** It is known to be stored: nothing before it is found any more. */
  durable(version: ReservationVersion): void {
    const { name } = version;
    const versions = this.#versionsOf(name);
    this.#keep(name, versions.slice(Math.max(0, versions.indexOf(version))));
  }

  /** While nothing is under way to the store, memory is what the rows say. */
  compare(views: readonly ShownReservation[]): void {
    this.#look(views, (name, view) => {
      if (!this.#isAs(this.#current(name), view))
        this.#violate(`memory and rows differ in reservation ${name}`);
    });
  }

  /** A new gateway has read what was stored. */
  restored(views: readonly ShownReservation[]): void {
    this.#look(views, (name, view) => {
      const found = this.#versionsOf(name).findLast(({ reservation }) => this.#isAs(reservation, view));
      if (found) return this.#keep(name, [found]);
      const isKnown = this.#versionsOf(name).some(({ reservation }) => reservation);
      if (!view) this.#violate(`reservation ${name} was stored and is gone after a crash`);
      else if (isKnown) this.#violate(`reservation ${name} is not there as anybody stored it`);
      else this.#violate(`reservation ${name} is there after a crash, and was deleted or never made`);
      if (!view) this.#versions.delete(name);
    });
  }

  placed(
    attempt: StoredAttempt & { readonly placedAtMs?: number },
    workload: StoredWorkload | undefined,
  ): void {
    const { queue = 'default', timeoutMs = Infinity, stopGraceMs = 0 } = (workload?.spec ?? {}) as Spec;
    const fromMs = attempt.placedAtMs ?? 0;
    const toMs = fromMs + timeoutMs + stopGraceMs;
    for (const reservation of this.#there()) {
      const { startMs, endMs, queues, name } = reservation;
      if (!isNewer(attempt.epoch, reservation.epoch) || !holds(reservation, attempt)) continue;
      const isOwn = queues.some((owner) => queue === owner || queue.startsWith(`${owner}/`));
      const isOver = fromMs >= endMs || toMs <= startMs;
      if (!isOver && !(isOwn && fromMs >= startMs))
        this.#violate(`${attempt.id} of queue ${queue} was placed on what reservation ${name} holds`);
    }
  }

  *#there(): Generator<StoredReservation, void, undefined> {
    for (const name of this.#versions.keys()) {
      const reservation = this.#current(name);
      if (reservation) yield reservation;
    }
  }

  #versionsOf(name: string): readonly ReservationVersion[] {
    return this.#versions.get(name) ?? [{ name, reservation: undefined }];
  }

  #current(name: string): StoredReservation | undefined {
    return this.#versions.get(name)?.at(-1)?.reservation;
  }

  #add(version: ReservationVersion): ReservationVersion {
    this.#versions.set(version.name, [...this.#versionsOf(version.name), version]);
    return version;
  }

  #keep(name: string, versions: readonly ReservationVersion[]): void {
    if (versions.some(({ reservation }) => reservation)) this.#versions.set(name, versions);
    else this.#versions.delete(name);
  }

  #look(
    views: readonly ShownReservation[],
    visit: (name: string, view: ShownReservation | undefined) => void,
  ): void {
    const byName = new Map(views.map((view) => [view.name, view]));
    for (const name of new Set([...this.#versions.keys(), ...byName.keys()])) visit(name, byName.get(name));
  }

  #step(name: string): Step {
    const step = this.#steps.get(name) ?? { before: this.#current(name), isWritten: false, told: [] };
    this.#steps.set(name, step);
    return step;
  }

  #checkTold(name: string, { before, isWritten, told }: Step): void {
    let isThere = before !== undefined;
    for (const change of told) {
      const begins = change === 'created';
      if (begins === isThere) this.#violate(`reservation ${name} was ${change}, and was there: ${isThere}`);
      isThere = change !== 'deleted' && change !== 'ended';
    }
    const after = this.#current(name);
    if (isThere !== (after !== undefined))
      this.#violate(`events say that reservation ${name} is there: ${isThere}; its rows say the opposite`);
    const isKept = told.every((change) => change === 'began' || change === 'mended');
    if (isKept && told.length > 0 && !isWritten)
      this.#violate(`reservation ${name} ${told.join(', ')}, and that is not stored`);
    if (!before || !after || !isKept || told.includes('mended')) return;
    if (this.#heldBy(before) !== this.#heldBy(after))
      this.#violate(`reservation ${name} holds something else, and no event tells of it`);
  }

  #checkSame(after: StoredReservation): void {
    const before = this.#current(after.name);
    if (before && termsOf(before) !== termsOf(after))
      this.#violate(`reservation ${after.name} got another time, or other owners`);
  }

  #isAs(stored: StoredReservation | undefined, view: ShownReservation | undefined): boolean {
    if (!stored || !view) return stored === view;
    const { startMs, endMs, queues } = view;
    const shown = termsOf({ startMs, endMs, queues, epoch: stored.epoch });
    return shown === termsOf(stored) && heldIn(view) === this.#heldBy(stored);
  }

  #heldBy({ held }: StoredReservation): string {
    return heldText(held.map(({ nodeId, devices }) => ({ node: this.#nodeName(nodeId), devices })));
  }

  #checkHeldOnce(one: StoredReservation): void {
    for (const other of this.#there()) {
      const isOther = other.name !== one.name;
      if (!isOther || one.startMs >= other.endMs || other.startMs >= one.endMs) continue;
      for (const { nodeId, devices } of one.held)
        if (holds(other, { nodeId, devices: devices ?? [] }) || (!devices && isOn(other, nodeId)))
          this.#violate(`${one.name} and ${other.name} hold the same of ${nodeId} at the same time`);
    }
  }
}

type Terms = Pick<StoredReservation, 'startMs' | 'endMs' | 'queues' | 'epoch'>;

/** What never changes. */
function termsOf({ startMs, endMs, queues, epoch }: Terms): string {
  return JSON.stringify([startMs, endMs, queues, epoch.term, epoch.counter]);
}

/** On which nodes it holds which devices, or all; the same text for the same. */
export function heldIn({ nodes }: Pick<ReservationView, 'nodes'>): string {
  return heldText(nodes.map(({ node, whole, devices }) => ({ node, devices: whole ? undefined : devices })));
}

function heldText(
  held: readonly { readonly node: string; readonly devices: readonly string[] | undefined }[],
): string {
  return held
    .map(({ node, devices }) => `${node}: ${devices ? devices.toSorted().join(' ') : 'all'}`)
    .toSorted()
    .join(', ');
}

function isOn({ held }: StoredReservation, nodeId: string): boolean {
  return held.some((one) => one.nodeId === nodeId);
}

function holds(
  { held }: StoredReservation,
  { nodeId, devices }: { readonly nodeId: string; readonly devices: readonly string[] },
): boolean {
  return held.some(
    (one) => one.nodeId === nodeId && (!one.devices || devices.some((id) => one.devices?.includes(id))),
  );
}

function isNewer(one: Epoch, other: Epoch): boolean {
  return one.term === other.term ? one.counter > other.counter : one.term > other.term;
}
