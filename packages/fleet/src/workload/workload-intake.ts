import { canonicalJson, formatDuration, newId } from '@clawbernetes/kernel';
import { apiError, DEFAULT_QUEUE, hasEnded, type WorkloadSpec } from '@clawbernetes/protocol';
import { commitAttempt, commitWorkload, orderNode, type FleetCore } from '../fleet-core.ts';
import { refuseUnsupported } from './unsupported.ts';
import { isEnded } from './lifecycle.ts';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import { fenceLeftMs, refuseHasty } from './policy/fence.ts';
import { settleWorkload } from './settle-workload.ts';

export interface Submission {
  readonly namespace: string;
  readonly spec: WorkloadSpec;
  readonly idempotencyKey?: string;
  /** Only on this node. */
  readonly nodeId?: string;
}

/** Takes in workloads and requests for their end. */
export class WorkloadIntake {
  readonly #core: FleetCore;

  constructor(core: FleetCore) {
    this.#core = core;
  }

  /**
   * Stores a new workload and queues it. The same idempotency key with the same specification answers the
   * workload that it made the first time. @throws CodedError `conflict`, `name-taken`, `overloaded`,
   * `not-supported`, `invalid-input`.
   */
  submit(submission: Submission): WorkloadRecord {
    const known = this.#known(submission);
    if (known) return known;
    refuseUnsupported(submission.spec);
    this.#refuseQueue(submission.spec);
    refuseHasty(submission.spec, this.#core.options);
    this.#refuseWhenFull();
    const workload = this.#create(submission);
    commitWorkload(this.#core, workload, 'user', `${workload.name} was submitted.`);
    this.#core.pending.add(workload);
    return workload;
  }

  /**
   * Ends a workload: a queued one at once, a running one politely, or with `force` by a kill. Safe to repeat.
   * @throws CodedError `conflict` where nobody's word counts.
   */
  stop(workload: WorkloadRecord, force: boolean): WorkloadRecord {
    if (hasEnded(workload.state)) return workload;
    const attempt = this.#core.workloads.latestAttempt(workload.id);
    const attempts = workload.spec.gang
      ? this.#core.workloads.members(workload.id)
      : attempt
        ? [attempt]
        : [];
    const away = attempts.find((each) => !isEnded(each.state) && this.#isOutOfReach(each));
    if (force && away) this.#refuseGuess(workload, away);
    const stopping = { ...workload, stopRequested: true };
    for (const each of attempts) if (!isEnded(each.state)) this.#stopAttempt(each, stopping, force);
    return settleWorkload(this.#core, stopping, 'user');
  }

  #known({ namespace, spec, idempotencyKey }: Submission): WorkloadRecord | undefined {
    const known = idempotencyKey && this.#core.workloads.withKey(namespace, idempotencyKey);
    if (!known) return undefined;
    if (canonicalJson({ ...known.spec }) === canonicalJson({ ...spec })) return known;
    throw apiError(
      'conflict',
      `The idempotency key was used before for another workload (${known.id}); use a new key for a new workload.`,
    );
  }

  #refuseWhenFull(): void {
    const { pending, options, writer } = this.#core;
    if (pending.size >= options.maxQueued)
      throw overloaded(`${pending.size} workloads wait already, which is the limit; try again later.`);
    if (writer.unstoredRows >= options.maxUnstoredRows)
      throw overloaded(`${writer.unstoredRows} changes wait to be stored, the limit; try again in a moment.`);
  }

  /** The queue takes work, and has not too much already. */
  #refuseQueue({ queue = DEFAULT_QUEUE }: WorkloadSpec): void {
    const { queues, pending } = this.#core;
    const { maxWaiting } = queues.requireLeaf(queue);
    const waiting = maxWaiting === undefined ? 0 : pending.demand.waitingIn(queue);
    if (maxWaiting === undefined || waiting < maxWaiting) return;
    throw overloaded(
      `${waiting} workloads of queue ${queue} wait already, and it may have ${maxWaiting}: try again later, ` +
        `use another queue, or raise it with clawbernetes queue update ${queue} --max-waiting.`,
    );
  }

  #create({ namespace, spec, idempotencyKey, nodeId }: Submission): WorkloadRecord {
    const id = newId('wl', this.#core.clock, this.#core.random);
    const name =
      spec.name === undefined
        ? this.#freeName(namespace, baseName(spec), id)
        : this.#refuseTaken(namespace, spec.name);
    return {
      id,
      namespace,
      name,
      spec,
      state: 'queued',
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(nodeId === undefined ? {} : { nodeId }),
      submittedAtMs: this.#core.clock.nowMs(),
      ...this.#priority(spec),
      stopRequested: false,
      attempts: 0,
    };
  }

  /** What its queue says, if it does not itself: it stays so when the queue is edited. */
  #priority({ queue = DEFAULT_QUEUE, priority }: WorkloadSpec): Pick<WorkloadRecord, 'priority'> {
    const { defaultPriority = 0 } = this.#core.queues.get(queue);
    return priority !== undefined || defaultPriority === 0 ? {} : { priority: defaultPriority };
  }

  #refuseTaken(namespace: string, name: string): string {
    const namesake = this.#liveNamesake(namespace, name);
    if (!namesake) return name;
    throw apiError(
      'name-taken',
      `A workload named "${name}" is ${namesake.state} (${namesake.id}); stop it first or choose another name.`,
    );
  }

  #liveNamesake(namespace: string, name: string): WorkloadRecord | undefined {
    const namesake = this.#core.workloads.named(namespace, name);
    return namesake && !hasEnded(namesake.state) ? namesake : undefined;
  }

  /** With the end of the id; with all of its random part where many others live already. */
  #freeName(namespace: string, base: string, id: string): string {
    const brief = `${base}-${id.slice(-6)}`;
    return this.#liveNamesake(namespace, brief) ? `${base}-${id.slice(-10)}` : brief;
  }

  #stopAttempt(attempt: AttemptRecord, workload: WorkloadRecord, force: boolean): void {
    const graceMs = force ? 0 : workload.spec.stopGraceMs;
    const order = {
      attemptId: attempt.id,
      epoch: attempt.epoch,
      graceMs,
      graceful: !force,
      reason: 'stopped',
    };
    orderNode(this.#core, attempt.nodeId, { kind: 'stop', ...order });
    if (force && this.#isOutOfReach(attempt)) this.#override(attempt, workload);
  }

  /** A node that is back soon says itself what it runs: nobody has to vouch for it. */
  #isOutOfReach({ nodeId, unknownSinceMs }: AttemptRecord): boolean {
    return unknownSinceMs !== undefined && this.#core.nodes.presence(nodeId)?.connectivity !== 'connected';
  }

  /** Exclusive work ends when that is proven; who gives it up by mistake might start a second one. */
  #refuseGuess({ name, spec }: WorkloadRecord, attempt: AttemptRecord): void {
    if (!spec.exclusive) return;
    const node = this.#core.nodes.node(attempt.nodeId)?.name ?? attempt.nodeId;
    const leftMs = fenceLeftMs(this.#core, attempt);
    const byItself = leftMs === undefined ? '' : ` or by itself in ${formatDuration(leftMs)} at the latest,`;
    throw apiError(
      'conflict',
      `${name} is exclusive and may still run on ${node}, which is out of reach, so it cannot be given up by force. ` +
        `Stop it without force: it ends when ${node} is back,${byItself} or, if that machine is gone for good, ` +
        `with clawbernetes node retire --force ${node}`,
    );
  }

  /**
   * A person vouches that work on an unreachable node is gone: its GPUs are free again, and the event says
   * who said so.
   */
  #override(attempt: AttemptRecord, workload: WorkloadRecord): void {
    const message =
      `${workload.name} was given up by force while its node was out of reach; ` +
      'it is stopped there if the node returns.';
    const { unknownSinceMs: _, ...known } = attempt;
    const lost: AttemptRecord = { ...known, state: 'lost', message, finishedAtMs: this.#core.clock.nowMs() };
    commitAttempt(this.#core, lost, 'user', message);
    this.#core.capacityChanged(attempt.nodeId);
  }
}

function overloaded(message: string): Error {
  return apiError('overloaded', message, { retryAfterMs: 5000 });
}

function baseName(spec: WorkloadSpec): string {
  const source = spec.image?.replace(/[:@].*$/, '') ?? spec.command[0] ?? 'workload';
  const base = source.split('/').findLast((part) => part !== '') ?? '';
  const label = base
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return label.slice(0, 40).replace(/-+$/, '') || 'workload';
}
