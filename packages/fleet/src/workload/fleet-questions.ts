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
import { explainRoom, type RoomQuestion } from '../queues/explain-room.ts';
import { explainStop, type StopQuestion } from '../queues/explain-stop.ts';
import { timedUse } from '../calendar/timed-use.ts';
import { QueueQuestions } from '../queues/queue-questions.ts';
import type { QueuePlanner } from '../queues/queue-planner.ts';
import type { AttemptRecord, NodeRecord, WorkloadRecord } from '../records.ts';
import { shapeOf, type Shape } from '../scheduler/resources.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import { atOnce, type Sliced } from '../scheduler/slices.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { Waiting } from '../scheduler/explain.ts';
import { gangEstimate } from '../scheduler/why/gang-estimate.ts';
import { withReservations } from '../scheduler/why/explain-held.ts';
import { explainingWaiting, type WaitQuestion } from '../scheduler/why/explain-waiting.ts';
import { describeCount } from '../scheduler/why/obstacle-words.ts';
import { readRefusals } from '../scheduler/why/refusal-counts.ts';
import { imagining, type FleetFacts } from '../scheduler/why/what-if.ts';
import { describeOutcome, describeWhy } from './answer-words.ts';
import { FleetSurvey } from '../fleet-survey.ts';
import { FleetMoment } from './fleet-moment.ts';
import { wantsItsPlaces } from './gang/own-places.ts';
import { isEnded } from './lifecycle.ts';
import { waitingShape } from './policy/begin-anew.ts';
import { explainAnew, explainDelay } from './policy/waiting-words.ts';
import { QuestionTurns } from './question-turns.ts';
import { movedAs, tellOutcome, withPlace, type KeptPlace } from './tell-answers.ts';
import { refuseUnsupported } from './unsupported.ts';

/** What waited longer and is taken into account; beyond, answers hold only for the nodes as they are. */
const MAX_AHEAD = 1000;
/** What it takes to see the fleet as it is now, for each node, in looks. */
const LOOKS_OF_MOMENT = 0.2;
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

/**
 * Why things are as they are, and what would be if: reads the fleet, and changes nothing of it. An answer is
 * about the moment at which it began, however many turns it takes.
 */
export class FleetQuestions {
  readonly survey: FleetSurvey;
  readonly #core: FleetCore;
  readonly #packing: FleetPacking;
  readonly #queues: QueuePlanner;
  readonly #turns: QuestionTurns;

  constructor({ core, packing, queues }: QuestionDeps) {
    const { clock, options } = core;
    this.survey = new FleetSurvey(core);
    this.#core = core;
    this.#packing = packing;
    this.#queues = queues;
    this.#turns = new QuestionTurns({ clock }, { looksPerTurn: options.looksPerTurn / 2 });
  }

  /** Those that are not answered by now never will be. */
  close(): void {
    this.#turns.close();
    this.survey.close();
  }

  /** The answer of `explaining`, a piece in each turn. @throws CodedError `not-found`, `overloaded`. */
  whyInTurns(
    workload: WorkloadRecord,
    events: readonly EventView[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<WhyView> {
    return this.#turns.ask(() => this.explaining(workload, events), signal ? { signal } : {});
  }

  /** The answer of `supposing`, a piece in each turn. @throws CodedError `not-supported`, `overloaded`. */
  whatIfInTurns(imagined: Imagined, { signal }: { readonly signal?: AbortSignal } = {}): Promise<WhatIf> {
    return this.#turns.ask(() => this.supposing(imagined), signal ? { signal } : {});
  }

  /** The answer of `explaining` at once, however long that takes. */
  why(workload: WorkloadRecord, events: readonly EventView[]): WhyView {
    return atOnce(this.explaining(workload, events));
  }

  /** The answer of `supposing` at once, however long that takes. */
  whatIf(imagined: Imagined): WhatIf {
    return atOnce(this.supposing(imagined));
  }

  /** Why a workload is where it is, or waits. @param events those of the workload, oldest first. */
  *explaining({ id }: WorkloadRecord, events: readonly EventView[]): Sliced<WhyView> {
    const workload = this.#core.workloads.workload(id);
    if (!workload) throw apiError('not-found', `The workload ${id} is gone.`);
    const attempt = this.#core.workloads.latestAttempt(id);
    const placement = attempt && this.#placement(attempt, workload, events);
    const waiting = workload.state === 'queued' ? yield* this.#waiting(workload) : undefined;
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

  /** What would be. @throws CodedError `not-supported`. */
  *supposing({ namespace, spec, count, drained, ended }: Imagined): Sliced<WhatIf> {
    if (spec) refuseUnsupported(spec);
    const asked = spec && { shape: shapeOf(spec, undefined), count };
    if (spec) this.#core.queues.requireLeaf(spec.queue ?? DEFAULT_QUEUE);
    const supposed = {
      ...(asked ? { asked } : {}),
      drained: new Set(drained.map(({ id }) => id)),
      ended: new Set(ended.map(({ id }) => id)),
    };
    using moment = this.#moment(namespace);
    const facts = this.#facts(moment, spec);
    const { nodes } = facts;
    yield nodes.length * LOOKS_OF_MOMENT;
    const questions = new QueueQuestions(moment);
    const outcome = yield* imagining({ ...facts, ...questions.planning(spec) }, supposed);
    const held =
      asked && outcome.waiting
        ? yield* withReservations(outcome.waiting, nodes, asked.shape, facts.nowMs)
        : undefined;
    const starts = count - outcome.waits;
    const stopped =
      asked && outcome.waits > 0
        ? yield* questions.stopOfMore({ ...asked, spec, starts, ended: supposed.ended })
        : undefined;
    const waiting = stopped ?? held;
    const all = { ...outcome, ...(waiting ? { waiting } : {}) };
    const told = tellOutcome(all, { asked: spec?.name ?? 'it', moment, drained });
    return { ...told, message: describeOutcome(told, { drained, ended }) };
  }

  /** The nodes as what is asked for would see them. */
  #withoutReserved({ nodes, nowMs }: FleetMoment, spec: WorkloadSpec | undefined): readonly SnapshotNode[] {
    const { calendar, queues } = this.#core;
    if (calendar.isEmpty) return nodes;
    const use = spec && timedUse(queues.regime, spec, nowMs);
    return nodes.map((node) => calendar.reduced(node, use));
  }

  *#waiting(workload: WorkloadRecord): Sliced<WaitExplanation> {
    const { id, namespace } = workload;
    const delayed = explainDelay(this.#core, workload);
    if (delayed) return this.#delay(id, delayed);
    using moment = this.#moment(namespace);
    const shape = this.#core.pending.shapeOf(id) ?? waitingShape(this.#core, workload);
    // All that may change is read before the first piece ends.
    const nodes = this.#queues.maskedAll(moment.nodes, id);
    const looks = nodes.length * LOOKS_OF_MOMENT;
    const stop = this.#stopQuestion(moment, { workload, shape, nodes });
    if (stop) {
      yield looks;
      return yield* explainStop(stop);
    }
    const question = { ...this.#asked(moment), nodes, shape, ahead: this.#queues.inOrder(MAX_AHEAD, id) };
    const gangStart = this.#queues.gangStart(workload);
    const place = this.#placeOf(moment, id);
    const room = place ? undefined : this.#roomQuestion(moment, id);
    yield looks;
    const unheld = yield* explainingWaiting(question);
    const start = gangEstimate(unheld, gangStart, moment.nowMs);
    const explained = yield* withReservations({ ...unheld, start }, nodes, shape, moment.nowMs);
    const told = place ? withPlace(explained, place, moment.nowMs) : yield* withRoom(explained, room);
    return explainAnew(this.#core, workload, told);
  }

  /** If a limit of its queue keeps it waiting, whatever the nodes have. */
  #stopQuestion(
    moment: FleetMoment,
    { workload, shape, nodes }: Pick<StopQuestion, 'shape' | 'nodes'> & { readonly workload: WorkloadRecord },
  ): StopQuestion | undefined {
    const { id: workloadId, spec } = workload;
    const { accounts, pending, queues } = this.#core;
    const group = pending.stopOf(workloadId);
    const stop = group && !group.partly ? accounts.usage.asOfNow(group.stop) : undefined;
    if (!stop) return undefined;
    return {
      ...{ moment, workloadId, stop, shape, nodes },
      queue: queues.regime.queueOf(spec),
      waiting: pending.firstOfQueues(MAX_AHEAD, workloadId),
      demand: pending.demand.copy(),
      ahead: pending.aheadAtLimit(workloadId),
    };
  }

  /** What is kept for it, or kept from it for others. */
  #placeOf(moment: FleetMoment, workloadId: string): KeptPlace | undefined {
    const hold = this.#queues.holdOf(workloadId);
    if (!hold) return undefined;
    const awaits = hold.awaits.flatMap((attemptId) => {
      const attempt = this.#core.workloads.attempt(attemptId);
      return attempt && !isEnded(attempt.state) ? [moment.nameOf(attempt.workloadId)] : [];
    });
    const { kind, startMs, nodeId } = hold;
    const node = this.#core.nodes.node(nodeId)?.name ?? nodeId;
    return { node, awaits, ...(kind === 'blocked' ? {} : { startMs }) };
  }

  /** Where others may have to go for it, or may not yet. */
  #roomQuestion(moment: FleetMoment, workloadId: string): RoomQuestion | undefined {
    const { accounts, pending, queues } = this.#core;
    const group = pending.groupOf(workloadId);
    if (!group || (queues.regime.isPlain && !accounts.runsBelow(group.queue, group.priority)))
      return undefined;
    const situation = { ...this.#queues.situation(), usage: moment.queues.usage };
    return { moment, situation, workloadId, group };
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

  #moment(namespace: string): FleetMoment {
    return new FleetMoment(this.#core, this.#packing, namespace);
  }

  #facts(moment: FleetMoment, spec: WorkloadSpec | undefined): FleetFacts {
    return {
      ...this.#asked(moment),
      nodes: this.#withoutReserved(moment, spec),
      waiting: this.#queues.inOrder(MAX_AHEAD),
      untried: this.#core.pending.untried(),
      packing: moment.packing,
      movedAs: (id) => movedAs(moment.workloads.workload(id)),
    };
  }

  #asked(moment: FleetMoment): Omit<WaitQuestion, 'shape' | 'ahead'> {
    const { nodes, unapproved, nowMs, holdersOf, endsOf, countOf, limitOf, packing } = moment;
    return {
      ...{ nodes, unapproved, nowMs, holdersOf, endsOf, countOf, limitOf },
      likenessOf: packing.groupKey,
    };
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
}

/** An explanation with who may have to go, or may not yet. */
function* withRoom(explained: WaitExplanation, question: RoomQuestion | undefined): Sliced<WaitExplanation> {
  const room = question ? yield* explainRoom(question) : '';
  return room === '' ? explained : { ...explained, message: `${explained.message} ${room}` };
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
