import {
  apiError,
  DEFAULT_QUEUE,
  OBSTACLES,
  type EventView,
  type ObstacleCode,
  type PlacementReason,
  type WaitExplanation,
  type WhatIf,
  type WhyView,
  type WorkloadSpec,
} from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import { explainRoom } from '../queues/explain-room.ts';
import { explainStop } from '../queues/explain-stop.ts';
import { timedUse } from '../calendar/timed-use.ts';
import { QueueQuestions } from '../queues/queue-questions.ts';
import type { QueuePlanner } from '../queues/queue-planner.ts';
import type { AttemptRecord, NodeRecord, WorkloadRecord } from '../records.ts';
import type { Placement } from '../scheduler/placement.ts';
import { shapeOf, type Shape } from '../scheduler/resources.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { Waiting } from '../scheduler/explain.ts';
import { gangEstimate } from '../scheduler/why/gang-estimate.ts';
import { withReservations } from '../scheduler/why/explain-held.ts';
import type { End } from '../scheduler/why/estimate-start.ts';
import { explainWaiting, type WaitQuestion } from '../scheduler/why/explain-waiting.ts';
import type { Holder } from '../scheduler/why/holder.ts';
import { describeCount } from '../scheduler/why/obstacle-words.ts';
import { readRefusals } from '../scheduler/why/refusal-counts.ts';
import { whatIf, type FleetFacts, type Outcome } from '../scheduler/why/what-if.ts';
import { describeOutcome, describeWhy, named } from './answer-words.ts';
import { wantsItsPlaces } from './gang/own-places.ts';
import { isEnded } from './lifecycle.ts';
import { waitingShape } from './policy/begin-anew.ts';
import { explainAnew, explainDelay } from './policy/waiting-words.ts';
import { refuseUnsupported } from './unsupported.ts';

/** What waited longer and is taken into account; beyond, answers hold only for the nodes as they are. */
const MAX_AHEAD = 1000;
/** Events that tell what led to a state. */
const MAX_CHAIN = 50;
/** Steps on the way of every attempt, which explain nothing. */
const ROUTINE = new Set([
  ...['attempt.offered', 'attempt.accepted', 'attempt.preparing', 'attempt.ready', 'attempt.running'],
  // Of a gang.
  ...['workload.reserved', 'workload.preparing', 'workload.starting'],
]);

export interface Imagined {
  readonly namespace: string;
  /** So many of this are asked for. */
  readonly spec?: WorkloadSpec;
  readonly count: number;
  readonly drained: readonly NodeRecord[];
  readonly ended: readonly WorkloadRecord[];
}

export interface QuestionDeps {
  readonly core: FleetCore;
  readonly packing: FleetPacking;
  readonly queues: QueuePlanner;
}

/** Why things are as they are, and what would be if: reads the fleet, and changes nothing of it. */
export class FleetQuestions {
  readonly #core: FleetCore;
  readonly #packing: FleetPacking;
  readonly #queues: QueuePlanner;

  constructor({ core, packing, queues }: QuestionDeps) {
    this.#core = core;
    this.#packing = packing;
    this.#queues = queues;
  }

  /** @param events those of the workload, oldest first. */
  why({ id }: WorkloadRecord, events: readonly EventView[]): WhyView {
    const workload = this.#core.workloads.workload(id);
    if (!workload) throw apiError('not-found', `The workload ${id} is gone.`);
    const attempt = this.#core.workloads.latestAttempt(id);
    const waiting = workload.state === 'queued' ? this.#waiting(workload) : undefined;
    const placement = attempt && this.#placement(attempt, workload, events);
    const chain = events
      .filter(({ type, facts }) => !ROUTINE.has(type) && !isOfMember(type, facts))
      .slice(-MAX_CHAIN)
      .map(({ timeMs, type, cause, message }) => ({ timeMs, type, cause, message }));
    const { name, state } = workload;
    const told = {
      ...{ workload: id, name, state, chain },
      ...(waiting ? { waiting } : {}),
      ...(placement ? { placement } : {}),
    };
    return { ...told, message: describeWhy(told) };
  }

  /** @throws CodedError `not-supported`. */
  whatIf({ namespace, spec, count, drained, ended }: Imagined): WhatIf {
    if (spec) refuseUnsupported(spec);
    const asked = spec && { shape: shapeOf(spec, undefined), count };
    if (spec) this.#core.queues.requireLeaf(spec.queue ?? DEFAULT_QUEUE);
    const supposed = {
      ...(asked ? { asked } : {}),
      drained: new Set(drained.map(({ id }) => id)),
      ended: new Set(ended.map(({ id }) => id)),
    };
    const questions = new QueueQuestions({ core: this.#core, packing: this.#packing });
    const facts = this.#facts(namespace);
    const nodes = this.#withoutReserved(facts, spec);
    const outcome = whatIf({ ...facts, nodes, ...questions.planning(spec) }, supposed);
    const held =
      asked && outcome.waiting && withReservations(outcome.waiting, nodes, asked.shape, facts.nowMs);
    const stopped =
      asked && outcome.waits > 0
        ? questions.stopOfMore({ ...asked, spec, starts: asked.count - outcome.waits, ended: supposed.ended })
        : undefined;
    const waiting = stopped ?? held;
    const told = this.#told({ ...outcome, ...(waiting ? { waiting } : {}) }, spec?.name ?? 'it');
    return { ...told, message: describeOutcome(told, { drained, ended }) };
  }

  /** The nodes as what is asked for would see them. */
  #withoutReserved({ nodes, nowMs }: FleetFacts, spec: WorkloadSpec | undefined): readonly SnapshotNode[] {
    const { calendar, queues } = this.#core;
    if (calendar.isEmpty) return nodes;
    const use = spec && timedUse(queues.regime, spec, nowMs);
    return nodes.map((node) => calendar.reduced(node, use));
  }

  #waiting(workload: WorkloadRecord): WaitExplanation {
    const { id, namespace } = workload;
    const delayed = explainDelay(this.#core, workload);
    if (delayed) return this.#delay(id, delayed);
    const { pending } = this.#core;
    const shape = pending.shapeOf(id) ?? waitingShape(this.#core, workload);
    const stopped = this.#stopped(workload, shape);
    if (stopped) return stopped;
    const ahead = this.#queues.inOrder(MAX_AHEAD, id);
    const facts = this.#asked(namespace);
    const nodes = facts.nodes.map((node) => this.#queues.masked(node, id));
    const unheld = explainWaiting({ ...facts, nodes, shape, ahead });
    const start = gangEstimate(unheld, this.#queues.gangStart(workload), facts.nowMs);
    const explained = withReservations({ ...unheld, start }, nodes, shape, facts.nowMs);
    return explainAnew(this.#core, workload, this.#withPlaces(workload, explained));
  }

  /** A limit of its queue keeps it waiting, whatever the nodes have. */
  #stopped({ id, namespace, spec }: WorkloadRecord, shape: Shape): WaitExplanation | undefined {
    const { pending, nodes, workloads, queues, clock } = this.#core;
    const group = pending.stopOf(id);
    if (!group || group.partly) return undefined;
    const views = nodes.snapshot();
    return explainStop({
      deps: { core: this.#core, packing: this.#packing },
      workloadId: id,
      stop: group.stop,
      queue: queues.regime.queueOf(spec),
      shape,
      nodes: views.map((node) => this.#queues.masked(node, id)),
      waiting: pending.queued(MAX_AHEAD),
      holders: views.flatMap((node) =>
        workloads.liveOn(node.id).map((attempt) => this.#holder(attempt, namespace)),
      ),
      ahead: pending.aheadAtLimit(id),
      nowMs: clock.nowMs(),
    });
  }

  /** What is kept for it, or kept from it for others. */
  #withPlaces({ id, namespace }: WorkloadRecord, explained: WaitExplanation): WaitExplanation {
    const hold = this.#queues.holdOf(id);
    if (!hold) return this.#withRoom(id, namespace, explained);
    const node = this.#core.nodes.node(hold.nodeId)?.name ?? hold.nodeId;
    const names = hold.awaits.flatMap((attemptId) => {
      const attempt = this.#core.workloads.attempt(attemptId);
      return attempt && !isEnded(attempt.state) ? [this.#holder(attempt, namespace).name] : [];
    });
    const ending = names.length > 0 ? `: it starts once ${named(names)} has ended` : '';
    const message = `${explained.message} A place is kept for it on ${node}${ending}.`;
    if (hold.kind === 'blocked') return { ...explained, message };
    const fromMs = this.#core.clock.nowMs();
    const toMs = Math.max(fromMs, hold.startMs);
    const start = {
      estimate: 'range' as const,
      ...{ fromMs, toMs },
      message: `On ${node}, once what makes room for it there has ended.`,
    };
    return { ...explained, message, start };
  }

  /** Who may have to go for it, or may not yet. */
  #withRoom(workloadId: string, namespace: string, explained: WaitExplanation): WaitExplanation {
    const { accounts, pending, queues } = this.#core;
    const group = pending.groupOf(workloadId);
    if (!group || (queues.regime.isPlain && !accounts.runsBelow(group.queue, group.priority)))
      return explained;
    const nameOf = (id: string): string => this.#nameFor(id, namespace);
    const situation = this.#queues.situation();
    const room = explainRoom({ core: this.#core, situation, workloadId, group, nameOf });
    return room === '' ? explained : { ...explained, message: `${explained.message} ${room}` };
  }

  /** Nothing but time stands in its way so far. */
  #delay(id: string, waiting: Waiting): WaitExplanation {
    const { nodes, delayed, clock, workloads, options } = this.#core;
    const atMs = clock.nowMs() + (delayed.leftMs(id) ?? 0);
    const workload = workloads.workload(id);
    const waitMs = workload && wantsItsPlaces(workload) ? options.queues.holdMs : 0;
    const message = 'When its delay is over and there is room.';
    return {
      ...waiting,
      nodes: nodes.snapshot().length,
      ...{ obstacles: [], remedies: [], ahead: 0 },
      start: { estimate: 'range', fromMs: atMs, toMs: atMs + waitMs, message },
    };
  }

  #facts(namespace: string): FleetFacts {
    return {
      ...this.#asked(namespace),
      waiting: this.#queues.inOrder(MAX_AHEAD),
      untried: this.#core.pending.untried(),
      packing: this.#packing,
      movedAs: (id) => this.#movedAs(id),
    };
  }

  #asked(namespace: string): Omit<WaitQuestion, 'shape' | 'ahead'> {
    const { nodes, clock, workloads } = this.#core;
    return {
      nodes: nodes.snapshot(),
      unapproved: nodes.unapproved(),
      likenessOf: this.#packing.groupKey,
      nowMs: clock.nowMs(),
      holdersOf: (nodeId) => workloads.liveOn(nodeId).map((attempt) => this.#holder(attempt, namespace)),
      endsOf: (nodeId) => this.#endsOn(nodeId),
      countOf: (nodeId) => workloads.liveCount(nodeId),
      limitOf: (id) => workloads.workload(id)?.spec.timeoutMs,
    };
  }

  /** Of others than the asker's own only that they are there. */
  #nameFor(workloadId: string, namespace: string): string {
    const workload = this.#core.workloads.workload(workloadId);
    if (!workload) return workloadId;
    return workload.namespace === namespace ? workload.name : `a workload of ${workload.namespace}`;
  }

  #holder(attempt: AttemptRecord, namespace: string): Holder {
    const { workloadId, nodeId, devices, gpuMilli, cpuMilli, memoryMib } = attempt;
    const workload = this.#core.workloads.workload(workloadId);
    const endsAtMs = workload && this.#endsAtMs(attempt, workload);
    return {
      ...{ workloadId, nodeId, devices, cpuMilli, memoryMib },
      ...(gpuMilli === undefined ? {} : { gpuMilli }),
      name: this.#nameFor(workloadId, namespace),
      ...(endsAtMs === undefined ? {} : { endsAtMs }),
      graceMs: workload?.spec.stopGraceMs ?? 0,
    };
  }

  /** Asked for every node of the fleet. */
  #endsOn(nodeId: string): readonly End[] {
    const { workloads } = this.#core;
    const ends: End[] = [];
    for (const holder of workloads.liveOn(nodeId)) {
      const workload = workloads.workload(holder.workloadId);
      const atMs = workload && this.#endsAtMs(holder, workload);
      if (atMs !== undefined) ends.push({ atMs, graceMs: workload?.spec.stopGraceMs ?? 0, holder });
    }
    return ends;
  }

  /** Nothing is known of what is out of reach; what has not begun yet is taken to begin now. */
  #endsAtMs(attempt: AttemptRecord, { spec, stopRequested }: WorkloadRecord): number | undefined {
    if (attempt.unknownSinceMs !== undefined) return undefined;
    const nowMs = this.#core.clock.nowMs();
    if (stopRequested || attempt.evicted) return nowMs;
    return spec.timeoutMs === undefined ? undefined : (attempt.startedAtMs ?? nowMs) + spec.timeoutMs;
  }

  #movedAs(workloadId: string): Shape | string {
    const workload = this.#core.workloads.workload(workloadId);
    if (!workload) return 'It is gone.';
    if (workload.nodeId !== undefined) return 'It would end: it is bound to this node.';
    if (workload.gang)
      return 'Another place would be looked for near the other members of its gang; without one all begin anew.';
    if (workload.stopRequested) return 'It would end: its stop was asked for already.';
    if (workload.spec.reschedule?.evicted === 'end')
      return 'It would end: so it was asked for (evicted: end).';
    return shapeOf(workload.spec, undefined);
  }

  #placement(
    attempt: AttemptRecord,
    { spec, nodeId: boundTo }: WorkloadRecord,
    events: readonly EventView[],
  ): PlacementReason {
    const { nodes } = this.#core;
    const { facts = {} } =
      events.findLast(({ type, facts: { attempt: id } }) => type === 'attempt.placed' && id === attempt.id) ??
      {};
    const nameOf = (id: string): string => nodes.node(id)?.name ?? id;
    const { id, number, nodeId, devices, gpuMilli, placedAtMs } = attempt;
    const { nodes: looked, candidates, cost, retried, runnerUp, runnerUpCost, others } = facts;
    return {
      ...{ attempt: id, number, node: nameOf(nodeId), devices: [...devices], placedAtMs },
      ...(gpuMilli === undefined ? {} : { gpuMilli }),
      ...(typeof looked === 'number' ? { nodes: looked } : {}),
      ...(typeof candidates === 'number' ? { candidates } : {}),
      ...(typeof cost === 'number' ? { cost } : {}),
      ...(retried === true ? { retried } : {}),
      ...(typeof runnerUp === 'string' && typeof runnerUpCost === 'number'
        ? { runnerUp: { node: nameOf(runnerUp), cost: runnerUpCost } }
        : {}),
      ...(typeof others === 'string' ? { others: refusals(others, shapeOf(spec, boundTo)) } : {}),
    };
  }

  #told(
    { starts, waits, waiting, moves, stranded, unblocked }: Outcome,
    asked: string,
  ): Omit<WhatIf, 'message'> {
    const { nodes, workloads } = this.#core;
    const nameOf = (id: string): string => workloads.workload(id)?.name ?? id;
    const where = ({ nodeId, devices, shape: { gpuMilli } }: Placement) => ({
      node: nodes.node(nodeId)?.name ?? nodeId,
      devices: [...devices],
      ...(gpuMilli === undefined ? {} : { gpuMilli }),
    });
    const known = (one: Placement) => ({
      ...{ workload: one.workloadId, name: nameOf(one.workloadId) },
      ...where(one),
    });
    const from = ({ workloadId }: Placement): string => {
      const id = workloads.latestAttempt(workloadId)?.nodeId ?? '';
      return nodes.node(id)?.name ?? id;
    };
    return {
      starts: starts.map((one) => ({ name: asked, ...where(one) })),
      waits,
      ...(waiting ? { waiting } : {}),
      moves: moves.map((one) => ({ ...known(one), from: from(one) })),
      stranded: stranded.map(({ workloadId: workload, message }) => ({
        ...{ workload, name: nameOf(workload), message },
      })),
      unblocked: unblocked.map(known),
    };
  }
}

/** The placement of one member: that all have places is told once. */
function isOfMember(type: string, { rank }: EventView['facts']): boolean {
  return type === 'attempt.placed' && typeof rank === 'number';
}

const CODES: ReadonlySet<string> = new Set(OBSTACLES);

function isObstacle(word: string): word is ObstacleCode {
  return CODES.has(word);
}

/** What is stored with a placement tells codes apart, not which label or taint it was. */
function refusals(text: string, shape: Shape): NonNullable<PlacementReason['others']> {
  return readRefusals(text, isObstacle).map(({ code, nodes }) => ({
    ...{ code, nodes, message: describeCount(shape, { code }, nodes) },
  }));
}
