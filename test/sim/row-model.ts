import { canonicalJson, type Clock, type Json } from '@clawbernetes/kernel';
import type { Gateway } from '@clawbernetes/gateway';
import type { RowChange } from '@clawbernetes/storage';
import type { BatchListener } from './store-gate.ts';
import { PlacementModel } from './placement-model.ts';
import { ReservationRows, type ReservationVersion } from './reservation-rows.ts';
import {
  isTerminalState,
  type StoredAttempt,
  type StoredNode,
  type StoredRow,
  type StoredWorkload,
} from './stored-row.ts';
import type { Machine, Transitions } from './transitions.ts';

type Fleet = Gateway['fleet'];
interface RowModelDeps {
  readonly transitions: Transitions;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly violate: (what: string) => void;
  readonly tell: (fact: string) => void;
  /** The fleet believes that this node runs nothing that it should not. */
  readonly onReconciled: (nodeId: string) => void;
}

type Tables = 'workload' | 'attempt' | 'node';

/**
 * What the gateway hands to its store, followed row by row: which state follows which, what is durable, and
 * that memory and rows say the same after every crash.
 */
export class RowModel implements BatchListener {
  /** Attempts that a person gave up by force: they may still run. */
  readonly overridden = new Set<string>();
  /** Workloads that a person ended by force. */
  readonly forced = new Set<string>();
  /** Gangs that need not restart where they were. */
  readonly letGo = new Set<string>();
  readonly #transitions: Transitions;
  readonly #violate: (what: string) => void;
  readonly #tell: (fact: string) => void;
  readonly #onReconciled: (nodeId: string) => void;
  readonly #rows = new Map<string, StoredRow>();
  readonly #durable = new Map<string, StoredRow>();
  readonly #connectivity = new Map<string, string>();
  /** Nodes that have shown over their present connection what they run. */
  readonly #reconciled = new Set<string>();
  readonly #placements: PlacementModel;
  readonly #reservations: ReservationRows;
  /** Of a row, the record of memory that was found to say the same. */
  readonly #alike = new WeakMap<StoredRow, object>();
  #freeze = 'free';
  #newestEpoch: StoredAttempt['epoch'] = { term: 0, counter: 0 };
  /** By workload and generation. */
  readonly #gangEpochs = new Map<string, StoredAttempt['epoch']>();
  #inFlight = 0;
  /** In the present batch. */
  readonly #placed: StoredAttempt[] = [];
  readonly #reserved: ReservationVersion[] = [];
  /** In the present batch, by id: its rows come before its events, which say in which order all was done. */
  readonly #evicted = new Map<string, StoredAttempt>();

  constructor({ transitions, clock, violate, tell, onReconciled }: RowModelDeps) {
    this.#transitions = transitions;
    this.#violate = violate;
    this.#tell = tell;
    this.#onReconciled = onReconciled;
    const nodeName = (id: string): string =>
      (this.#rows.get(`node/${id}`) as StoredNode | undefined)?.name ?? id;
    this.#reservations = new ReservationRows({ violate, nodeName });
    this.#placements = new PlacementModel({
      node: (id) => this.#rows.get(`node/${id}`) as StoredNode | undefined,
      connectivity: (id) => this.#connectivity.get(id),
      isReconciled: (id) => this.#reconciled.has(id),
      isFrozen: () => this.#freeze === 'frozen',
      monotonicMs: () => clock.monotonicMs(),
      violate,
    });
  }

  submitted(changes: readonly RowChange[]): { readonly durable: () => void } {
    const keys: string[] = [];
    for (const change of changes) {
      const key = this.#take(change);
      if (key !== undefined) keys.push(key);
    }
    for (const attempt of this.#placed.splice(0)) {
      this.#judgePlacement(attempt);
      this.#reservations.placed(attempt, this.#workload(attempt.workloadId));
    }
    for (const id of this.#evicted.keys()) this.#violate(`${id} was evicted, and no event tells of it`);
    this.#evicted.clear();
    this.#placements.batchEnded();
    this.#reservations.batchEnded();
    const batch = keys.map((key) => [key, this.#rows.get(key)] as const);
    const reserved = this.#reserved.splice(0);
    this.#inFlight += 1;
    return {
      durable: () => {
        this.#inFlight -= 1;
        for (const [key, row] of batch) if (row) this.#durable.set(key, row);
        for (const version of reserved) this.#reservations.durable(version);
      },
    };
  }

  isDurable(table: Tables, id: string): boolean {
    return this.#durable.has(`${table}/${id}`);
  }

  /** Whether the end of an attempt is stored; true as well for one that nobody stored. */
  endIsDurable(attemptId: string): boolean {
    const row = this.#durable.get(`attempt/${attemptId}`);
    return row === undefined || isTerminalState(row.state);
  }

  /** Whether it is stored that somebody wants its end, or that it has come. */
  stopIsDurable(workloadId: string): boolean {
    const row = this.#durable.get(`workload/${workloadId}`) as StoredWorkload | undefined;
    return row === undefined || row.stopRequested || row.finishedAtMs !== undefined;
  }

  /** By name; those that hold something else than what was answered when they were made. */
  get mendedReservations(): ReadonlySet<string> {
    return this.#reservations.mended;
  }

  isReconciled(nodeId: string): boolean {
    return this.#reconciled.has(nodeId);
  }

  /** A node of this name has a new connection. */
  registered(name: string): void {
    for (const id of this.#reconciled)
      if ((this.#rows.get(`node/${id}`) as StoredNode | undefined)?.name === name)
        this.#reconciled.delete(id);
  }

  /** While nothing is under way to the store, memory is what the rows say. */
  compare(fleet: Fleet): void {
    if (this.#inFlight > 0) return;
    for (const [key, row] of this.#rows) this.#compareOne(fleet, key, row);
    this.#reservations.compare(fleet.reservations.list());
  }

  /** The gateway died; what was under way may or may not be there when it is back. */
  crashed(): void {
    this.#inFlight = 0;
  }

  /** A new gateway has read its rows: they are what was durable, or else what was under way. */
  restored(fleet: Fleet): void {
    for (const [key, row] of this.#rows) {
      const durable = this.#durable.get(key);
      if (row === durable) {
        this.#compareOne(fleet, key, row);
        continue;
      }
      const record = recordOf(fleet, key);
      if (!record && durable) this.#violate(`${key} was stored and is gone after a crash`);
      if (record) this.#accept(key, record);
      else this.#rows.delete(key);
    }
    // A reservation that was not stored was never made: the next one may have its number.
    this.#gangEpochs.clear();
    for (const row of this.#rows.values()) if ('epoch' in row) this.#noteEpoch(row as StoredAttempt);
    for (const [key] of this.#connectivity) this.#connectivity.set(key, 'suspect');
    this.#freeze = 'free';
    this.#reconciled.clear();
    this.#placements.restarted();
    this.#reservations.restored(fleet.reservations.list());
  }

  /** Of what was under way, some batches were stored. */
  #accept(key: string, record: object): void {
    const stored = record as StoredRow;
    this.#rows.set(key, stored);
    this.#durable.set(key, stored);
  }

  #compareOne(fleet: Fleet, key: string, row: StoredRow): void {
    const record = recordOf(fleet, key);
    if (!record) return this.#violate(`${key} is stored but not in memory`);
    // Neither is changed in place: two that were alike are.
    if (this.#alike.get(row) === record) return;
    this.#alike.set(row, record);
    // Rows after the first leave the specification out.
    const leftOut = 'spec' in row ? undefined : 'spec';
    if (!isSameJson(record, row, leftOut))
      this.#violate(`memory says ${text(record)}, its row says ${text(row)}`);
  }

  #take(change: RowChange): string | undefined {
    if ('delete' in change) {
      if (change.table === 'reservation')
        this.#reserved.push(this.#reservations.deleted(String(change.delete['name'])));
      return void this.#rows.delete(`${change.table}/${String(change.delete['id'])}`);
    }
    const columns = 'insert' in change ? change.insert : change.upsert;
    if (change.table === 'event') this.#event(columns);
    if (change.table === 'reservation') this.#reserved.push(this.#reservations.stored(columns));
    if (change.table !== 'workload' && change.table !== 'attempt' && change.table !== 'node')
      return undefined;
    const { data, spec, workload_id: workloadId, ...plain } = columns;
    const row = {
      ...plain,
      ...(spec === undefined ? {} : { spec: JSON.parse(String(spec)) as Json }),
      ...(workloadId === undefined ? {} : { workloadId }),
      ...(JSON.parse(String(data)) as object),
    } as unknown as StoredRow;
    const key = `${change.table}/${row.id}`;
    const before = this.#rows.get(key);
    // The specification is written once.
    const kept = before && 'spec' in before && !('spec' in row) ? { ...row, spec: before.spec } : row;
    this.#rows.set(key, kept);
    this.#follow(change.table, before, kept);
    return key;
  }

  #follow(table: Tables, before: StoredRow | undefined, after: StoredRow): void {
    if (table === 'workload') this.#see('workload', after.id, before?.state ?? 'new', after.state);
    else if (table === 'attempt')
      this.#attempt(before as StoredAttempt | undefined, after as unknown as StoredAttempt);
    else this.#node(before as StoredNode | undefined, after as unknown as StoredNode);
  }

  #attempt(before: StoredAttempt | undefined, after: StoredAttempt): void {
    this.#see('attempt', after.id, before?.state ?? 'new', after.state);
    const contact = (one: StoredAttempt | undefined): string =>
      one?.unknownSinceMs === undefined ? 'known' : 'unknown';
    const ended = isTerminalState(after.state);
    this.#see(
      'contact',
      after.id,
      contact(before),
      ended && before?.unknownSinceMs !== undefined ? 'ended' : contact(after),
    );
    if (before && isTerminalState(before.state)) this.#violate(`the ended attempt ${after.id} changed`);
    if (before && after.revision < before.revision) this.#violate(`${after.id} went back in revisions`);
    if (!before) this.#placed.push(after);
    // A gang that somebody stops gives up its places, whatever the fleet may do by itself.
    const isAsked = this.#workload(after.workloadId)?.stopRequested === true;
    // So does one that has failed; a member is given up for the silence of its node only.
    const isReleased = after.generation !== undefined && after.evicted?.cause !== 'node-loss';
    if (before && !before.evicted && after.evicted && !isAsked && !isReleased)
      this.#evicted.set(after.id, after);
  }

  #workload(id: string): StoredWorkload | undefined {
    return this.#rows.get(`workload/${id}`) as StoredWorkload | undefined;
  }

  /** Judged by the nodes as they are at the end of the turn, which is when work is placed. */
  #judgePlacement(attempt: StoredAttempt): void {
    if (this.#isKnownEpoch(attempt)) return this.#placements.placed(attempt);
    const { term, counter } = attempt.epoch;
    const newest = this.#newestEpoch;
    if (term < newest.term || (term === newest.term && counter <= newest.counter))
      this.#violate(`${attempt.id} has epoch ${term}.${counter} after ${newest.term}.${newest.counter}`);
    this.#newestEpoch = attempt.epoch;
    this.#placements.placed(attempt);
  }

  /** All members of one reservation of a gang have the same, those that join later too. */
  #isKnownEpoch(attempt: StoredAttempt): boolean {
    const { id, epoch } = attempt;
    const known = this.#noteEpoch(attempt);
    if (known && (known.term !== epoch.term || known.counter !== epoch.counter))
      this.#violate(`${id} has another epoch than the gang that it is a member of`);
    return known !== undefined;
  }

  /** Answers the one that is known of its reservation, if it is a member of a gang. */
  #noteEpoch({ workloadId, generation, epoch }: StoredAttempt): StoredAttempt['epoch'] | undefined {
    if (generation === undefined) return undefined;
    const key = `${workloadId}/${generation}`;
    const known = this.#gangEpochs.get(key);
    this.#gangEpochs.set(key, known ?? epoch);
    return known;
  }

  #node(before: StoredNode | undefined, after: StoredNode): void {
    this.#see('eligibility', after.id, before?.eligibility ?? 'new', after.eligibility);
    const gpus = new Set([
      ...Object.keys(before?.gpuConditions ?? {}),
      ...Object.keys(after.gpuConditions ?? {}),
    ]);
    for (const gpu of gpus) {
      const state = (node: StoredNode | undefined): string => node?.gpuConditions?.[gpu]?.state ?? 'healthy';
      this.#see('gpu', gpu, state(before), state(after));
    }
  }

  #event(columns: Readonly<Record<string, unknown>>): void {
    const [type, subject, cause] = [String(columns['type']), String(columns['subject']), columns['cause']];
    const [kind, change = ''] = type.split('.');
    this.#tell(`${type} ${subject} ${String(columns['message'])} ${String(columns['facts'])}`);
    if (kind === 'reservation') this.#reservations.told(change, subject);
    if (kind === 'fleet') {
      this.#see('freeze', 'fleet', this.#freeze, change === 'frozen' ? 'frozen' : 'free');
      this.#freeze = change === 'frozen' ? 'frozen' : 'free';
      this.#placements.forgetSilence();
    }
    if (type === 'attempt.evicted' || type === 'attempt.given-up') this.#judgeEviction(attemptOf(columns));
    if (type === 'attempt.lost' && cause === 'user') {
      const attempt = attemptOf(columns);
      if (!this.forced.has(subject)) this.#violate(`${attempt} was given up, and nobody asked for it`);
      this.overridden.add(attempt);
    }
    if (type === 'workload.released') this.letGo.add(subject);
    if (type === 'node.reconciled') {
      this.#reconciled.add(subject);
      this.#onReconciled(subject);
    }
    if (kind !== 'node' || !['connected', 'suspect', 'disconnected', 'lost'].includes(change)) return;
    const before = this.#connectivity.get(subject) ?? 'new';
    this.#connectivity.set(subject, change);
    this.#see('connectivity', subject, before, change);
    this.#placements.connectivity(subject, change);
  }

  /** By whether there is a freeze at this moment of its turn. */
  #judgeEviction(attemptId: string): void {
    const attempt = this.#evicted.get(attemptId);
    if (attempt && this.#evicted.delete(attemptId)) this.#placements.evicted(attempt);
  }

  #see(machine: Machine, subject: string, from: string, to: string): void {
    if (from !== to && !this.#transitions.see(machine, from, to))
      this.#violate(`${machine} ${subject} went from ${from} to ${to}`);
  }
}

/** Whom an event of an attempt is about. */
function attemptOf({ facts }: Readonly<Record<string, unknown>>): string {
  return (JSON.parse(String(facts)) as { readonly attempt: string }).attempt;
}

function recordOf(fleet: Fleet, key: string): object | undefined {
  const [table, id = ''] = key.split('/');
  if (table === 'workload') return fleet.findWorkload(id);
  return table === 'attempt' ? fleet.attempt(id) : fleet.findNode(id);
}

function text(value: object): string {
  return canonicalJson(JSON.parse(JSON.stringify(value)) as Json);
}

/** Whether JSON would say the same of both; of the left one, a field may be left out. */
function isSameJson(left: unknown, right: unknown, leftOut?: string): boolean {
  if (!isObject(left) || !isObject(right)) return left === right;
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return false;
  let fields = 0;
  for (const [name, value] of Object.entries(left)) {
    if (value === undefined || name === leftOut) continue;
    fields += 1;
    if (!isSameJson(value, right[name])) return false;
  }
  return fields === Object.values(right).filter((value) => value !== undefined).length;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
