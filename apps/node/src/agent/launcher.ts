import { CodedError, errorCode, errorMessage, type Clock, type Logger } from '@clawbernetes/kernel';
import {
  compareEpochs,
  fromWireEpoch,
  isTerminal,
  workloadSpecSchema,
  type AttemptStatus,
  type Epoch,
} from '@clawbernetes/protocol';
import { z } from 'zod';
import type { Launch } from '../execution/executor.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import type { AttemptBook } from './attempt-book.ts';
import type { GatewayMessage } from './handshake.ts';
import { MAX_ATTEMPTS } from './reports.ts';

/** Orders to start that the supervisor has not answered yet. */
const MAX_STARTING = 1024;
/** Failures that leave open whether the attempt was taken: the gateway asks again. */
const UNDECIDED: ReadonlySet<string | undefined> = new Set([
  'supervisor-lost',
  'supervisor-stopping',
  'supervisor-unavailable',
  'aborted',
  'timeout',
]);

export interface LauncherDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly supervisor: Pick<Supervisor, 'launch' | 'stop'>;
  readonly book: AttemptBook;
}

/**
 * Carries out the gateway's orders. They are hints and may come late, twice or in the wrong order: whatever
 * comes, the answer is the attempt's present status, and no attempt runs twice.
 */
export class Launcher {
  readonly #deps: LauncherDeps;
  readonly #starting = new Set<string>();

  constructor(deps: LauncherDeps) {
    this.#deps = deps;
  }

  /** @returns whether this begins an attempt that the node did not know. Never rejects. */
  start(order: GatewayMessage<'startWorkload'>): { readonly isNew: boolean; readonly done: Promise<void> } {
    const { book, logger } = this.#deps;
    const { attemptId } = order;
    const known = book.get(attemptId);
    if (known) book.resend(attemptId);
    if (known || this.#starting.has(attemptId) || book.wasForgotten(attemptId)) return NOTHING_NEW;
    const held = book.size + this.#starting.size;
    if (this.#starting.size >= MAX_STARTING || held >= MAX_ATTEMPTS) {
      logger.warn('Too many attempts at once; the gateway will ask again', { attemptId, held });
      return NOTHING_NEW;
    }
    this.#starting.add(attemptId);
    return { isNew: true, done: this.#launch(order).finally(() => this.#starting.delete(attemptId)) };
  }

  /** Never rejects. */
  async stop({ attemptId, epoch, graceful, graceMs }: GatewayMessage<'stopWorkload'>): Promise<void> {
    const { book, supervisor, logger } = this.#deps;
    if (book.wasForgotten(attemptId)) return;
    const known = book.get(attemptId);
    if (!known && !this.#starting.has(attemptId)) {
      // It may overtake the order to start: remembered as ended, that order finds it so.
      const message = 'It was stopped before it started on this node.';
      book.observe(this.#ended(attemptId, fromWireEpoch(epoch), 'stopped', message), { refused: true });
      return;
    }
    const stale = known && compareEpochs(fromWireEpoch(epoch), known.epoch) < 0;
    if (stale || (known && isTerminal(known.state))) {
      book.resend(attemptId);
      return;
    }
    try {
      await supervisor.stop(attemptId, { graceMs: graceful ? graceMs : 0 });
    } catch (error) {
      logger.warn('A workload could not be stopped', { attemptId, error: errorMessage(error) });
    }
  }

  async #launch(order: GatewayMessage<'startWorkload'>): Promise<void> {
    const { book, supervisor, logger } = this.#deps;
    const { attemptId } = order;
    try {
      book.observe(await supervisor.launch(launchOf(order)));
    } catch (error) {
      const message = errorMessage(error);
      logger.warn('A workload could not be started', { attemptId, code: errorCode(error), error: message });
      if (UNDECIDED.has(errorCode(error))) return;
      const refusal = this.#ended(attemptId, fromWireEpoch(order.epoch), 'launch-failed', message);
      book.observe(refusal, { refused: true });
    }
  }

  #ended(
    attemptId: string,
    epoch: Epoch,
    reason: 'launch-failed' | 'stopped',
    message: string,
  ): AttemptStatus {
    const nowMs = this.#deps.clock.nowMs();
    return {
      attemptId,
      epoch,
      revision: 1,
      state: 'killed',
      reason,
      message,
      acceptedAtMs: nowMs,
      finishedAtMs: nowMs,
      sandbox: 'none',
      limitations: [],
      logEnd: 0,
    };
  }
}

const NOTHING_NEW = { isNew: false, done: Promise.resolve() };

/** @throws CodedError `invalid-spec`. */
function launchOf(order: GatewayMessage<'startWorkload'>): Launch {
  return {
    attemptId: order.attemptId,
    workloadId: order.workloadId,
    namespace: order.namespace,
    epoch: fromWireEpoch(order.epoch),
    spec: parseSpec(order.spec),
    devices: order.devices,
  };
}

function parseSpec(bytes: Uint8Array): Launch['spec'] {
  try {
    return workloadSpecSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    const what = error instanceof z.ZodError ? z.prettifyError(error) : errorMessage(error);
    throw new CodedError(
      `This node does not understand the workload: ${what}`,
      { code: 'invalid-spec' },
      { cause: error },
    );
  }
}
