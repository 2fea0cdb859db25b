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

type Spec = { readonly queue?: string; readonly timeoutMs?: number; readonly stopGraceMs?: number };

/** Reservations as they are stored, and whether what is placed leaves them alone: by brute force. */
export class ReservationRows {
  readonly #violate: (what: string) => void;
  readonly #all = new Map<string, StoredReservation>();
  readonly #gone = new Set<string>();
  /** What may be found of each after a crash: as it was known to be stored, and as it was since. */
  readonly #versions = new Map<string, StoredReservation[]>();

  constructor(violate: (what: string) => void) {
    this.#violate = violate;
  }

  /** On its way to the store. */
  stored(columns: Readonly<Record<string, unknown>>): StoredReservation {
    const name = String(columns['name']);
    const reservation = { name, ...(JSON.parse(String(columns['data'])) as Omit<StoredReservation, 'name'>) };
    this.#checkSame(reservation);
    this.#gone.add(name);
    this.#checkHeldOnce(reservation);
    this.#all.set(name, reservation);
    this.#gone.delete(name);
    this.#versions.set(name, [...(this.#versions.get(name) ?? []), reservation]);
    return reservation;
  }

  /** It is known to be stored: none before it is found any more. */
  durable(reservation: StoredReservation): void {
    const versions = this.#versions.get(reservation.name) ?? [];
    this.#versions.set(reservation.name, versions.slice(Math.max(0, versions.indexOf(reservation))));
  }

  deleted(name: string): void {
    this.#gone.add(name);
  }

  /** A new gateway has read what was stored. */
  restored(views: readonly ReservationView[]): void {
    const names = new Set(views.map(({ name }) => name));
    for (const name of this.#all.keys()) if (!names.has(name)) this.#gone.add(name);
    for (const view of views) this.#restoredOne(view);
  }

  #restoredOne(view: ReservationView): void {
    const { name } = view;
    const found = this.#versions.get(name)?.findLast((version) => isAs(version, view));
    if (!found) return this.#violate(`reservation ${name} is not there as anybody stored it`);
    this.#all.set(name, found);
    this.#gone.delete(name);
    this.#versions.set(name, [found]);
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
    for (const [name, reservation] of this.#all) if (!this.#gone.has(name)) yield reservation;
  }

  #checkSame(reservation: StoredReservation): void {
    const { startMs, endMs } = this.#all.get(reservation.name) ?? reservation;
    if (startMs !== reservation.startMs || endMs !== reservation.endMs)
      this.#violate(`reservation ${reservation.name} got another time`);
  }

  #checkHeldOnce(one: StoredReservation): void {
    for (const other of this.#there()) {
      if (one.startMs >= other.endMs || other.startMs >= one.endMs) continue;
      for (const { nodeId, devices } of one.held)
        if (holds(other, { nodeId, devices: devices ?? [] }) || (!devices && isOn(other, nodeId)))
          this.#violate(`${one.name} and ${other.name} hold the same of ${nodeId} at the same time`);
    }
  }
}

/** It holds the same: whole nodes are told by their number. */
function isAs({ held }: StoredReservation, { nodes }: ReservationView): boolean {
  const devices = new Set(held.flatMap((one) => one.devices ?? []));
  const shown = nodes.flatMap((node) => (node.whole ? [] : node.devices));
  return (
    held.length === nodes.length &&
    devices.size === shown.length &&
    shown.every((device) => devices.has(device))
  );
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
