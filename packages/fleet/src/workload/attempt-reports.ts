import { present } from '@clawbernetes/kernel';
import { compareEpochs, isTerminal, type AttemptStatus } from '@clawbernetes/protocol';
import { commitAttempt, orderNode, orderStop, type FleetCore } from '../fleet-core.ts';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import { describeEnd } from './describe-end.ts';
import { orderStart } from './gang/order-start.ts';
import { orderRelease } from './gang/settle-gang.ts';
import { afterReport, isEnded } from './lifecycle.ts';
import { settleWorkload } from './settle-workload.ts';

/** Takes in what nodes report of attempts, and repairs what differs between a node and the fleet. */
export class AttemptReports {
  readonly #core: FleetCore;

  constructor(core: FleetCore) {
    this.#core = core;
  }

  /**
   * Stores what is new; every revision is acknowledged once it is durable, also one that says nothing new.
   */
  report(nodeId: string, statuses: readonly AttemptStatus[]): void {
    const revisions = [];
    for (const status of statuses) {
      this.#take(nodeId, status);
      revisions.push({ attemptId: status.attemptId, revision: status.revision });
    }
    if (revisions.length > 0) orderNode(this.#core, nodeId, { kind: 'acknowledge', revisions });
  }

  /**
   * `listed` is everything that the node holds. What it should run but does not know is offered again, or
   * lost if it had been accepted; what it runs but should not is stopped, and answered.
   */
  repair(nodeId: string, listed: readonly AttemptStatus[]): readonly AttemptStatus[] {
    this.report(nodeId, listed);
    const epochs = new Map(listed.map((status) => [status.attemptId, status.epoch]));
    for (const attempt of this.#core.workloads.liveOn(nodeId)) {
      const epoch = epochs.get(attempt.id);
      if (epoch && compareEpochs(epoch, attempt.epoch) === 0) this.#regain(attempt);
      else this.#missing(attempt);
    }
    const unwanted = listed.filter((status) => this.#isUnwanted(nodeId, status));
    for (const status of unwanted) this.#stopUnwanted(nodeId, status);
    return unwanted;
  }

  /**
   * Repeats the orders to start that the node has not answered: a former connection may have lost them. One
   * that it has after all, it answers with its present status.
   */
  offerAgain(nodeId: string): void {
    for (const attempt of this.#core.workloads.liveOn(nodeId)) {
      const workload = present(
        this.#core.workloads.workload(attempt.workloadId),
        'the workload of an attempt',
      );
      if (attempt.revision > 0 || workload.stopRequested || attempt.evicted) continue;
      orderStart(this.#core, attempt, workload);
    }
  }

  /** Repeats the orders to stop that the node does not follow yet: they may have been lost. */
  stopAgain(nodeId: string): void {
    for (const attempt of this.#core.workloads.liveOn(nodeId))
      if (attempt.revision > 0 && attempt.state !== 'stopping') this.#stopAsAsked(attempt);
  }

  /** Nothing is known of the node's attempts from now on; they keep their state and their GPUs. */
  loseSight(nodeId: string): void {
    for (const attempt of this.#core.workloads.liveOn(nodeId)) {
      if (attempt.unknownSinceMs !== undefined) continue;
      const unknown = { ...attempt, unknownSinceMs: this.#core.clock.nowMs() };
      commitAttempt(
        this.#core,
        unknown,
        'node-loss',
        'Its node is out of reach; it may still be running there.',
      );
      if (attempt.rank !== undefined) this.#settle(unknown);
    }
  }

  #take(nodeId: string, status: AttemptStatus): void {
    const attempt = this.#core.workloads.attempt(status.attemptId);
    if (!attempt || attempt.nodeId !== nodeId || compareEpochs(attempt.epoch, status.epoch) !== 0) return;
    const next = afterReport(attempt, status);
    if (!next) return;
    const message = isEnded(next.state) ? `Ended: ${describeEnd(next)}.` : `It is ${next.state}.`;
    commitAttempt(this.#core, next, 'node', message);
    if (isEnded(next.state)) this.#core.capacityChanged(nodeId);
    this.#settle(next);
  }

  #settle(attempt: AttemptRecord): void {
    const workload = present(this.#core.workloads.workload(attempt.workloadId), 'the workload of an attempt');
    const isCurrent =
      attempt.rank === undefined
        ? workload.attempts === attempt.number
        : this.#core.workloads.isCurrentMember(attempt);
    if (isCurrent) settleWorkload(this.#core, workload, 'node');
  }

  /**
   * The node still has it: whatever hid it is over. A stop that was asked for meanwhile is asked for again.
   */
  #regain(attempt: AttemptRecord): void {
    if (attempt.unknownSinceMs !== undefined) {
      const { unknownSinceMs: _, ...known } = attempt;
      commitAttempt(this.#core, known, 'node', 'Its node is back and still has it.');
      if (attempt.rank !== undefined) this.#settle(known);
    }
    const workload = this.#stopAsAsked(attempt);
    const isWaiting = attempt.state === 'ready' && workload.gang?.phase === 'running';
    if (isWaiting && !workload.stopRequested && !attempt.evicted) orderRelease(this.#core, attempt);
  }

  /** Answers its workload. */
  #stopAsAsked(attempt: AttemptRecord): WorkloadRecord {
    const workload = present(this.#core.workloads.workload(attempt.workloadId), 'the workload of an attempt');
    if (workload.stopRequested || attempt.evicted) orderStop(this.#core, attempt, workload);
    return workload;
  }

  #missing(attempt: AttemptRecord): void {
    const workload = present(this.#core.workloads.workload(attempt.workloadId), 'the workload of an attempt');
    const neverAccepted = attempt.revision === 0;
    if (neverAccepted && this.#mayBeOnItsWay(attempt)) return;
    if (neverAccepted && !workload.stopRequested && !attempt.evicted) {
      orderStart(this.#core, attempt, workload);
      return;
    }
    // An order to start may still be under way: only the node's word that it will not begin is proof.
    if (neverAccepted) return orderStop(this.#core, attempt, workload);
    const { unknownSinceMs: _, ...known } = attempt;
    const message = 'its node no longer knows it';
    const finishedAtMs = this.#core.clock.nowMs();
    commitAttempt(
      this.#core,
      { ...known, state: 'lost', message, finishedAtMs },
      'node-loss',
      `Lost: ${message}.`,
    );
    this.#core.capacityChanged(attempt.nodeId);
    settleWorkload(this.#core, workload, 'node-loss');
  }

  /**
   * The list may be older than the offer. A placement in the future says that the clock went back: do not
   * wait for it.
   */
  #mayBeOnItsWay({ placedAtMs, unknownSinceMs }: AttemptRecord): boolean {
    const ageMs = this.#core.clock.nowMs() - placedAtMs;
    return ageMs >= 0 && ageMs < this.#core.options.offerAgainAfterMs && unknownSinceMs === undefined;
  }

  #isUnwanted(nodeId: string, { attemptId, epoch, state }: AttemptStatus): boolean {
    if (isTerminal(state)) return false;
    const attempt = this.#core.workloads.attempt(attemptId);
    if (!attempt || attempt.nodeId !== nodeId || isEnded(attempt.state)) return true;
    return compareEpochs(attempt.epoch, epoch) !== 0;
  }

  #stopUnwanted(nodeId: string, { attemptId, epoch }: AttemptStatus): void {
    const order = { attemptId, epoch, graceMs: 0, graceful: false, reason: 'unwanted' } as const;
    orderNode(this.#core, nodeId, { kind: 'stop', ...order });
    this.#core.logger.warn('a node runs an attempt that should not be there; stopping it', {
      nodeId,
      attemptId,
    });
  }
}
