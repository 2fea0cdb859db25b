import { canonicalJson } from '@clawbernetes/kernel';
import { apiError, type ReservationRequest, type ReservationView } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import { formatTime } from '../scheduler/why/reserved-words.ts';
import { heldCapacity } from './held-capacity.ts';
import { outlastingOf, type Outlasting } from './outlasting.ts';
import { reservationRow, type ReservationRecord } from './reservation-record.ts';
import { reservationTimes } from './reservation-times.ts';
import { reservationView } from './reservation-view.ts';

/** Reservations at a time. */
const MAX_RESERVATIONS = 200;

/** What people do with reservations; it counts from the plan of the same turn on. */
export class ReservationAdministration {
  readonly #core: FleetCore;

  constructor(core: FleetCore) {
    this.#core = core;
  }

  /** The earliest start first. */
  list(): readonly ReservationView[] {
    return this.#core.calendar.all().map((reservation) => reservationView(this.#core, reservation));
  }

  /** @throws CodedError `not-found`. */
  show(name: string): ReservationView {
    return reservationView(this.#core, this.#get(name));
  }

  /**
   * The same request again answers what is there. @throws CodedError `invalid-input`, `not-found` for a queue
   * or a node, `name-taken`, `conflict` if other reservations leave too little, `overloaded`.
   */
  create(request: ReservationRequest): ReservationView {
    const { calendar, clock, writer, nextEpoch } = this.#core;
    const asked = canonicalJson(request);
    const known = calendar.get(request.name);
    if (known?.request === asked) return reservationView(this.#core, known);
    if (known) throw taken(known);
    if (calendar.all().length >= MAX_RESERVATIONS)
      throw apiError(
        'overloaded',
        `There are ${MAX_RESERVATIONS} reservations, the most there can be; delete one.`,
      );
    const { name, purpose, queues, running, noticeMs } = request;
    const nowMs = clock.nowMs();
    const times = reservationTimes(request, nowMs);
    this.#checkPurpose(request);
    const held = heldCapacity(this.#core, request, times);
    const reservation: ReservationRecord = {
      ...{ name, purpose, queues, running, noticeMs, ...times, held },
      ...{ createdAtMs: nowMs, epoch: nextEpoch(), request: asked },
    };
    calendar.put(reservation);
    writer.write(reservationRow(reservation));
    for (const { nodeId } of held) this.#core.nodes.touch(nodeId);
    this.#record(reservation, 'created');
    for (const one of outlastingOf(this.#core, reservation)) this.#tell(reservation, one);
    return reservationView(this.#core, reservation);
  }

  /** @throws CodedError `not-found`. */
  delete(name: string): void {
    const reservation = this.#get(name);
    giveUp(this.#core, reservation);
    this.#record(reservation, 'deleted');
  }

  #get(name: string): ReservationRecord {
    const reservation = this.#core.calendar.get(name);
    if (reservation) return reservation;
    throw apiError(
      'not-found',
      `There is no reservation "${name}"; it may have ended. reservation list shows those that there are.`,
    );
  }

  #checkPurpose({ purpose, queues, gpus, gpuModels, nodes, nodeSelector }: ReservationRequest): void {
    const anyNodes = nodes.length > 0 || Object.keys(nodeSelector).length > 0;
    if (purpose === 'workload') {
      if (queues.length === 0) throw wrong('queues', 'Name the queues whose work may use it (--queue).');
      for (const queue of queues) this.#core.queues.get(queue);
    } else if (queues.length > 0) throw wrong('queues', 'Maintenance is nobody’s work: name no queues.');
    else if (gpus !== undefined)
      throw wrong('gpus', 'Maintenance takes whole nodes: name them or their labels.');
    if (gpus === undefined && !anyNodes)
      throw wrong(
        'gpus',
        'Say what to hold: a number of GPUs (--gpus), nodes (--node) or their labels (--label).',
      );
    if (gpus === undefined && gpuModels.length > 0)
      throw wrong('gpuModels', 'A GPU model goes with a number of GPUs (--gpus).');
  }

  #record(reservation: ReservationRecord, change: 'created' | 'deleted'): void {
    const view = reservationView(this.#core, reservation);
    const { name, startMs, endMs } = reservation;
    this.#core.writer.record({
      namespace: 'default',
      type: `reservation.${change}`,
      subject: name,
      cause: 'user',
      message: `Reservation ${name} was ${change}: ${view.gpus} GPUs from ${formatTime(startMs)} to ${formatTime(endMs)}.`,
      facts: { startMs, endMs, gpus: view.gpus, nodes: view.nodes.length },
    });
  }

  /** Those who own what runs there read it in the events of their workloads. */
  #tell({ name, startMs, endMs }: ReservationRecord, { attempt, workload, stopsAtMs }: Outlasting): void {
    const node = this.#core.nodes.node(attempt.nodeId)?.name ?? attempt.nodeId;
    const fate =
      stopsAtMs === undefined
        ? 'It is left there'
        : `It is asked to end at ${formatTime(stopsAtMs)}, and begins anew elsewhere if there is room`;
    this.#core.writer.record({
      namespace: workload.namespace,
      type: 'workload.outlasts-reservation',
      subject: workload.id,
      cause: 'user',
      message:
        `${workload.name} may run on ${node} past ${formatTime(startMs)}, when reservation ${name} begins there ` +
        `(until ${formatTime(endMs)}). ${fate}.`,
      facts: {
        reservation: name,
        attempt: attempt.id,
        startMs,
        ...(stopsAtMs === undefined ? {} : { stopsAtMs }),
      },
    });
  }
}

/** It holds nothing any more: others may have room on its nodes now. */
export function giveUp(core: FleetCore, { name, held }: ReservationRecord): void {
  core.calendar.remove(name);
  core.writer.write({ table: 'reservation', delete: { name } });
  for (const { nodeId } of held) {
    core.nodes.touch(nodeId);
    core.capacityChanged(nodeId);
  }
}

function taken({ name, startMs, endMs }: ReservationRecord): Error {
  return apiError(
    'name-taken',
    `There is a reservation "${name}" already, from ${formatTime(startMs)} to ${formatTime(endMs)}, and it was ` +
      'made by another request. Choose another name, or delete it first.',
  );
}

function wrong(path: string, message: string): Error {
  return apiError('invalid-input', message, { issues: [{ path, message }] });
}
