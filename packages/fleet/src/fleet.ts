import { every, type Clock, type Logger, type Random, type Timer } from '@clawbernetes/kernel';
import { apiError, hasEnded, type EventView, type NodeView, type WorkloadView } from '@clawbernetes/protocol';
import type { Row, Store } from '@clawbernetes/storage';
import { ConfigEntries } from './config/config-entries.ts';
import {
  DEFAULT_FLEET_OPTIONS,
  type FleetCore,
  type FleetListeners,
  type FleetOptions,
} from './fleet-core.ts';
import { FleetWriter } from './fleet-writer.ts';
import { loadFleet, type FleetRows } from './load-fleet.ts';
import { joinTokenRow, type JoinTokenRecord } from './node/join-tokens.ts';
import { Clearance } from './node/clearance.ts';
import { countFleet, type FleetCounts } from './fleet-counts.ts';
import { GpuHealth } from './node/gpu-health.ts';
import type { Freeze } from './node/mass-loss-guard.ts';
import { NodeAdministration } from './node/node-administration.ts';
import { NodeRegistry } from './node/node-registry.ts';
import { NodeTable } from './node/node-table.ts';
import { QueueAccounts } from './queues/queue-accounts.ts';
import { QueueAdministration } from './queues/queue-administration.ts';
import { QueueTable } from './queues/queue-table.ts';
import { Calendar } from './calendar/calendar.ts';
import { CalendarCare } from './calendar/calendar-care.ts';
import { ReservationAdministration } from './calendar/reservation-administration.ts';
import type { AttemptRecord, NodeRecord, WorkloadRecord } from './records.ts';
import { readEvent } from './rows.ts';
import type { Waiting } from './scheduler/explain.ts';
import {
  attemptView,
  gpuViews,
  nodeSummary,
  nodeView,
  workloadView,
  type NodeFacts,
  type NodeSummary,
} from './views.ts';
import { AttemptReports } from './workload/attempt-reports.ts';
import { GangCare } from './workload/gang/gang-care.ts';
import { spokesman } from './workload/gang/next-gang-step.ts';
import { FleetQuestions } from './workload/fleet-questions.ts';
import { PendingQueue } from './workload/pending-queue.ts';
import { Placer } from './workload/placer.ts';
import { PlacingTurns } from './workload/placing-turns.ts';
import { beginToWait } from './workload/policy/begin-anew.ts';
import { DelayedStarts } from './workload/policy/delayed-starts.ts';
import { passFences } from './workload/policy/fence.ts';
import { explainAnew, explainDelay, formerNode } from './workload/policy/waiting-words.ts';
import { Retention } from './workload/retention.ts';
import { WorkloadIntake } from './workload/workload-intake.ts';
import { WorkloadTable } from './workload/workload-table.ts';

export interface FleetDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: Store;
  readonly listeners: FleetListeners;
  /** See `FleetCore`. */
  readonly arrivedMs?: FleetCore['arrivedMs'];
}

/** So often the silence of nodes is looked at, ms: what is acted on is late by so much at most. */
const TICK_MS = 500;
const MAX_JOIN_TOKENS = 10_000;
/** Characters of an id that stand for it, at least. */
const MIN_PREFIX = 6;

/**
 * The fleet: nodes, workloads and their placement, held in memory by one writer and durable in the store.
 * Methods change memory at once and synchronously; `durable()` resolves when what was changed is stored.
 */
export class Fleet implements AsyncDisposable {
  readonly intake: WorkloadIntake;
  readonly reports: AttemptReports;
  readonly registry: NodeRegistry;
  readonly administration: NodeAdministration;
  readonly gpuHealth: GpuHealth;
  readonly config: ConfigEntries;
  readonly questions: FleetQuestions;
  readonly queues: QueueAdministration;
  readonly reservations: ReservationAdministration;
  readonly #core: FleetCore;
  readonly #placer: Placer;
  readonly #clearance: Clearance;
  readonly #gangCare: GangCare;
  readonly #calendarCare: CalendarCare;
  readonly #store: Store;
  readonly #tokens: Map<string, JoinTokenRecord>;
  readonly #timer: Timer;
  readonly #onEnded: FleetListeners['ended'];

  private constructor(deps: FleetDeps, options: FleetOptions, rows: FleetRows) {
    const { clock, logger, store } = deps;
    const writer = new FleetWriter({ clock, logger, store }, rows.lastSequence);
    const workloads = new WorkloadTable();
    const nodes = new NodeTable(workloads);
    const queues = new QueueTable();
    queues.load(rows.queues);
    const calendar = new Calendar({ clock, workloads });
    calendar.load(rows.reservations);
    let counter = 0;
    this.#store = store;
    this.#onEnded = deps.listeners.ended;
    this.#core = {
      ...deps,
      options,
      writer,
      workloads,
      nodes,
      pending: new PendingQueue((spec) => queues.regime.queueOf(spec)),
      queues,
      calendar,
      accounts: new QueueAccounts({ clock, options, workloads, nodes, queues }),
      delayed: new DelayedStarts(clock, (ids) => this.#begin(ids)),
      listeners: { ...deps.listeners, ended: (id) => this.#ended(id) },
      nextEpoch: () => ({ term: store.term, counter: (counter += 1) }),
      openedMs: clock.monotonicMs(),
      capacityChanged: (nodeId) => this.#placer.capacityChanged(nodeId),
    };
    this.#placer = new Placer(this.#core, () => this.registry.freeze === undefined);
    this.questions = new FleetQuestions({
      core: this.#core,
      packing: this.#placer.packing,
      queues: this.#placer.queues,
    });
    this.queues = new QueueAdministration(this.#core);
    this.reservations = new ReservationAdministration(this.#core);
    const retention = new Retention(this.#core, rows.firstSequence);
    this.intake = new WorkloadIntake(this.#core);
    this.reports = new AttemptReports(this.#core);
    this.administration = new NodeAdministration(this.#core);
    this.gpuHealth = new GpuHealth(this.#core);
    this.registry = new NodeRegistry(this.#core, this.gpuHealth, (nodeId) => this.reports.loseSight(nodeId));
    this.#clearance = new Clearance(this.#core, { mayMove: () => this.registry.freeze === undefined });
    this.#calendarCare = new CalendarCare(this.#core, () => this.registry.freeze === undefined);
    this.#gangCare = new GangCare({
      core: this.#core,
      topology: () => this.#placer.topology(),
      mayGiveUp: () => this.registry.freeze === undefined,
    });
    this.config = new ConfigEntries({ clock, writer }, rows.config);
    this.#tokens = new Map(rows.tokens.map((token) => [token.id, token]));
    rows.fill(this.#core);
    this.#core.accounts.rebuild();
    if (!queues.regime.isPlain) this.#core.accounts.recall();
    const placing = new PlacingTurns(this.#core, this.#placer);
    writer.beforeSubmit(() => {
      placing.run();
      retention.run();
    });
    const tick = (): void => {
      if (this.registry.tick()) clock.after(0, tick);
      for (const { id } of nodes.nodes()) this.#care(id);
      this.#gangCare.run();
      this.#calendarCare.run();
      if (this.#placer.tick()) void writer.durable().catch(() => undefined);
    };
    this.#timer = every(clock, TICK_MS, tick);
    // What was read back is tried at once, so that each workload that waits has its reason.
    if (this.#core.pending.hasOpen) void writer.durable().catch(() => undefined);
  }

  static async open(deps: FleetDeps, options: Partial<FleetOptions> = {}): Promise<Fleet> {
    const rows = await loadFleet(deps.store, deps.clock);
    return new Fleet(deps, { ...DEFAULT_FLEET_OPTIONS, ...options }, rows);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    this.#core.delayed.close();
    this.questions.close();
    await this.#core.writer.durable().catch(() => undefined);
  }

  /** Resolves once all that was changed so far is stored; rejects if the store failed. */
  durable(): Promise<void> {
    return this.#core.writer.durable();
  }

  onEvents(listener: (events: readonly EventView[]) => void): void {
    this.#core.writer.onEvents(listener);
  }

  /** A batch could not be stored: this fleet must be closed and opened anew from its rows. */
  onFailed(listener: (error: unknown) => void): void {
    this.#core.writer.onFailed(listener);
  }

  /** Set while so many nodes are silent that nothing is moved or given up for it. */
  get freeze(): Freeze | undefined {
    return this.registry.freeze;
  }

  get eventSequence(): number {
    return this.#core.writer.sequence;
  }

  /** Stored events from sequence `from` on, in order: the first `limit` of them, or the `newest`. */
  async events(query: {
    readonly from: number;
    readonly limit: number;
    readonly subject?: string;
    readonly newest?: boolean;
  }): Promise<EventView[]> {
    let select = this.#store.rows.selectFrom('event').selectAll().where('sequence', '>=', query.from);
    if (query.subject !== undefined) select = select.where('subject', '=', query.subject);
    const order = query.newest ? 'desc' : 'asc';
    const rows: Row[] = await select.orderBy('sequence', order).limit(query.limit).execute();
    const events = rows.map((row) => readEvent(row));
    return query.newest ? events.reverse() : events;
  }

  /**
   * By id, by a unique beginning of at least six characters of it, or by name. @throws CodedError
   * `not-found`.
   */
  workload(namespace: string, reference: string): WorkloadRecord {
    const { workloads } = this.#core;
    const exact = workloads.workload(reference) ?? workloads.named(namespace, reference);
    if (exact && exact.namespace === namespace) return exact;
    const [match, ...others] =
      reference.length < MIN_PREFIX ? [] : this.#core.workloads.beginningWith(reference, 2);
    if (match?.namespace === namespace && others.length === 0) return match;
    throw apiError('not-found', `There is no workload "${reference}"; workload list shows those that exist.`);
  }

  /** In descending order of ids, which sort by time; those below `before`. */
  *newestWorkloads(namespace: string, before?: string): Generator<WorkloadRecord, void, undefined> {
    for (const workload of this.#core.workloads.descending(before))
      if (workload.namespace === namespace) yield workload;
  }

  /** Oldest first. */
  workloads(namespace: string): WorkloadRecord[] {
    return [...this.#core.workloads.workloads()].filter((workload) => workload.namespace === namespace);
  }

  /** By state, how many workloads there are in a namespace. */
  workloadCounts(namespace: string): Readonly<Record<string, number>> {
    return this.#core.workloads.counts(namespace);
  }

  counts(): FleetCounts {
    return countFleet(this.#core.nodes);
  }

  workloadView(workload: WorkloadRecord): WorkloadView {
    const current = this.#core.workloads.workload(workload.id) ?? workload;
    const members = this.#core.workloads.members(current.id);
    const attempt = spokesman(members) ?? this.#core.workloads.latestAttempt(current.id);
    const node = attempt && this.#core.nodes.node(attempt.nodeId);
    return workloadView({
      workload: current,
      attempt,
      members,
      node,
      waiting: this.#waiting(current),
      formerNode: formerNode(this.#core, current),
    });
  }

  attemptViews(workload: WorkloadRecord): ReturnType<typeof attemptView>[] {
    return this.#core.workloads
      .attemptsOf(workload.id)
      .map((attempt) => attemptView(attempt, this.#core.nodes.node(attempt.nodeId)?.name ?? attempt.nodeId));
  }

  /** Oldest first. */
  attempts(workloadId: string): readonly AttemptRecord[] {
    return this.#core.workloads.attemptsOf(workloadId);
  }

  latestAttempt(workloadId: string): AttemptRecord | undefined {
    return this.#core.workloads.latestAttempt(workloadId);
  }

  /** The newest attempts of a gang, one of each rank, by rank; none of other workloads. */
  members(workloadId: string): readonly AttemptRecord[] {
    return [...this.#core.workloads.members(workloadId)];
  }

  attempt(id: string): AttemptRecord | undefined {
    return this.#core.workloads.attempt(id);
  }

  liveAttempts(nodeId: string): readonly AttemptRecord[] {
    return this.#core.workloads.liveOn(nodeId);
  }

  /** By id or name. @throws CodedError `not-found`. */
  node(reference: string): NodeRecord {
    const node = this.#core.nodes.node(reference) ?? this.#core.nodes.named(reference);
    if (node) return node;
    throw apiError('not-found', `There is no node "${reference}"; node list shows those that exist.`);
  }

  findWorkload(id: string): WorkloadRecord | undefined {
    return this.#core.workloads.workload(id);
  }

  findNode(id: string): NodeRecord | undefined {
    return this.#core.nodes.node(id);
  }

  readonly #nameOf = (workloadId: string): string | undefined =>
    this.#core.workloads.workload(workloadId)?.name;

  /** By name. */
  nodes(): NodeRecord[] {
    return [...this.#core.nodes.nodes()].toSorted((left, right) => (left.name < right.name ? -1 : 1));
  }

  nodeView(node: NodeRecord): NodeView {
    return nodeView(this.#nodeFacts(node));
  }

  nodeSummary(node: NodeRecord): NodeSummary {
    return nodeSummary(this.#nodeFacts(node));
  }

  gpuViews(node: NodeRecord): NodeView['gpus'] {
    const { nodes, workloads } = this.#core;
    return gpuViews({
      node: nodes.node(node.id) ?? node,
      live: workloads.liveOn(node.id),
      cleaning: nodes.cleaning(node.id),
      nameOf: this.#nameOf,
    });
  }

  /** @throws CodedError `overloaded` when too many are unused. */
  addJoinToken(token: JoinTokenRecord): void {
    for (const { id, expiresAtMs } of this.#tokens.values())
      if (expiresAtMs < this.#core.clock.nowMs()) this.#dropToken(id);
    if (this.#tokens.size >= MAX_JOIN_TOKENS)
      throw apiError('overloaded', `${MAX_JOIN_TOKENS} join tokens are unused, the limit; they expire.`);
    this.#tokens.set(token.id, token);
    this.#core.writer.write(joinTokenRow(token));
  }

  /** Uses up a one-time token: what it allows, or undefined if it is unknown, used, wrong or too old. */
  redeemJoinToken(id: string, secretHash: string): { readonly approve: boolean } | undefined {
    const token = this.#tokens.get(id);
    if (!token || token.secretHash !== secretHash) return undefined;
    this.#dropToken(id);
    return token.expiresAtMs < this.#core.clock.nowMs() ? undefined : { approve: token.approve };
  }

  #waiting(workload: WorkloadRecord): Waiting | undefined {
    const delayed = explainDelay(this.#core, workload);
    if (delayed) return delayed;
    const waiting = this.#placer.waiting(workload.id);
    return waiting && explainAnew(this.#core, workload, waiting);
  }

  /** The delay of these workloads is over. */
  #begin(workloadIds: readonly string[]): void {
    for (const id of workloadIds) {
      const workload = this.#core.workloads.workload(id);
      if (workload) beginToWait(this.#core, workload);
    }
    void this.#core.writer.durable().catch(() => undefined);
  }

  #dropToken(id: string): void {
    this.#tokens.delete(id);
    this.#core.writer.write({ table: 'join_token', delete: { id } });
  }

  #nodeFacts(node: NodeRecord): NodeFacts {
    const { nodes, workloads } = this.#core;
    const current = nodes.node(node.id) ?? node;
    const [presence, cleaning] = [nodes.presence(current.id), nodes.cleaning(current.id)];
    const live = workloads.liveOn(current.id);
    const nameOf = this.#nameOf;
    return { node: current, presence, snapshot: nodes.view(current), live, cleaning, nameOf };
  }

  /** What time alone, or an earlier change, has made due on a node. */
  #care(nodeId: string): void {
    const { nodes } = this.#core;
    passFences(this.#core, nodeId);
    this.administration.settleDrain(nodeId);
    const node = nodes.node(nodeId);
    if (node) this.gpuHealth.tick(node);
    const current = nodes.node(nodeId);
    if (current) this.#clearance.run(current);
  }

  #ended(workloadId: string): void {
    const attempt = this.#core.workloads.latestAttempt(workloadId);
    if (attempt) this.administration.settleDrain(attempt.nodeId);
    const workload = this.#core.workloads.workload(workloadId);
    if (workload && hasEnded(workload.state)) this.#onEnded(workloadId);
  }
}
