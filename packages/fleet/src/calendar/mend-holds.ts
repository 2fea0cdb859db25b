import type { ReservationRequest } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import { overlap, type HeldCapacity } from '../scheduler/calendar/calendar-reservation.ts';
import { chooseCapacity } from '../scheduler/calendar/choose-capacity.ts';
import { nodesFor, reservableNodes } from './held-capacity.ts';
import { reservationRow, type ReservationRecord } from './reservation-record.ts';
import { awayOf } from './reservation-view.ts';

/** GPUs are missed for so long before others are held instead, ms. */
const AWAY_MS = 60_000;

/** Replaces GPUs of reservations that are broken, or whose nodes take no work, where none were named. */
export class MendHolds {
  readonly #core: FleetCore;
  /** By reservation: since when some of it is away; monotonic clock. */
  readonly #since = new Map<string, number>();

  constructor(core: FleetCore) {
    this.#core = core;
  }

  run(reservation: ReservationRecord): void {
    const { clock } = this.#core;
    const { name } = reservation;
    const request = JSON.parse(reservation.request) as ReservationRequest;
    const kept =
      request.gpus === undefined || request.nodes.length > 0 ? reservation.held : this.#kept(reservation);
    const missing = gpusOf(reservation.held) - gpusOf(kept);
    if (missing === 0) return void this.#since.delete(name);
    const sinceMs = this.#since.get(name) ?? clock.monotonicMs();
    this.#since.set(name, sinceMs);
    if (clock.monotonicMs() - sinceMs < AWAY_MS) return;
    const found = this.#replacement(reservation, request, missing);
    if (!found) return;
    this.#since.delete(name);
    this.#hold({ ...reservation, held: merged([...kept, ...found]) }, reservation, missing);
  }

  /** There are no reservations. */
  forget(): void {
    this.#since.clear();
  }

  /** What of it work could have. */
  #kept({ held }: ReservationRecord): readonly HeldCapacity[] {
    const { nodes } = this.#core;
    return held.flatMap((one) => {
      const { nodeId, devices = [], cpuMilli, memoryMib } = one;
      const node = nodes.node(nodeId);
      const away = new Set(awayOf(node && nodes.view(node), new Set(devices)));
      if (away.size === 0) return [one];
      const left = devices.filter((id) => !away.has(id));
      const part = left.length / devices.length;
      const rest = { cpuMilli: Math.floor(cpuMilli * part), memoryMib: Math.floor(memoryMib * part) };
      return left.length > 0 ? [{ nodeId, devices: left, ...rest }] : [];
    });
  }

  /** Only such as are free by the start, or now. */
  #replacement(
    reservation: ReservationRecord,
    request: ReservationRequest,
    gpus: number,
  ): readonly HeldCapacity[] | undefined {
    const { calendar, clock } = this.#core;
    const startMs = Math.max(reservation.startMs, clock.nowMs());
    // Itself is one of those whose GPUs are taken.
    const taken = calendar.all().filter((other) => overlap(other, reservation));
    const nodes = reservableNodes(this.#core, {
      views: nodesFor(this.#core, request),
      others: taken,
      queues: [],
    });
    const gpuModels = request.gpuModels.map((model) => model.toLowerCase());
    const choice = chooseCapacity(nodes, { gpus, gpuModels, startMs });
    if (choice.kind === 'refused') return undefined;
    const isInTime = ({ nodeId, devices = [] }: HeldCapacity): boolean => {
      const node = nodes.find(({ view }) => view.id === nodeId);
      return devices.every((id) => (node?.freeAtMs(id) ?? Infinity) <= startMs);
    };
    return choice.held.every(isInTime) ? choice.held : undefined;
  }

  #hold(mended: ReservationRecord, before: ReservationRecord, gpus: number): void {
    const { calendar, writer, nodes, capacityChanged } = this.#core;
    calendar.put(mended);
    writer.write(reservationRow(mended));
    for (const { nodeId } of [...before.held, ...mended.held]) {
      nodes.touch(nodeId);
      capacityChanged(nodeId);
    }
    const names = mended.held.map(({ nodeId }) => nodes.node(nodeId)?.name ?? nodeId);
    writer.record({
      namespace: 'default',
      type: 'reservation.mended',
      subject: mended.name,
      cause: 'health',
      message:
        `${gpus} GPUs of reservation ${mended.name} were broken or on nodes that take no work; ` +
        `it holds others instead, on ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' and more' : ''}.`,
    });
  }
}

function gpusOf(held: readonly HeldCapacity[]): number {
  return held.reduce((sum, { devices = [] }) => sum + devices.length, 0);
}

/** One for each node. */
function merged(held: readonly HeldCapacity[]): readonly HeldCapacity[] {
  return [...Map.groupBy(held, ({ nodeId }) => nodeId)].map(([nodeId, parts]) => ({
    nodeId,
    devices: parts.flatMap(({ devices = [] }) => devices),
    cpuMilli: parts.reduce((sum, { cpuMilli }) => sum + cpuMilli, 0),
    memoryMib: parts.reduce((sum, { memoryMib }) => sum + memoryMib, 0),
  }));
}
