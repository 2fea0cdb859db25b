import { CodedError, errorCode, errorMessage, type Clock, type Logger } from '@clawbernetes/kernel';
import {
  compareEpochs,
  fromWireEpoch,
  isTerminal,
  workloadSpecSchema,
  type AttemptStatus,
  type Epoch,
  type GpuDevice,
} from '@clawbernetes/protocol';
import { z } from 'zod';
import { isAttemptId } from '../execution/attempt-id.ts';
import type { Launch, LaunchGpu } from '../execution/executor.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import type { AttemptBook } from './attempt-book.ts';
import type { Contact } from './contact.ts';
import type { GatewayMessage } from './handshake.ts';
import { MAX_ATTEMPTS } from './reports.ts';

/** Orders to start that the supervisor has not answered yet. */
const MAX_STARTING = 1024;
/** Failures that leave open whether the attempt was taken: the gateway asks again. */
const UNDECIDED: ReadonlySet<string | undefined> = new Set([
  'supervisor-lost',
  'supervisor-stopping',
  'supervisor-unavailable',
  'no-contact',
  'aborted',
  'timeout',
]);

export interface LauncherDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly supervisor: Pick<Supervisor, 'launch' | 'stop' | 'release'>;
  readonly book: AttemptBook;
  readonly contact: Pick<Contact, 'lastMs'>;
  /** The node's GPUs as last detected. */
  readonly gpus: () => readonly GpuDevice[];
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

  /**
   * @returns whether this begins an attempt that the node did not know. `done` never rejects.
   * @throws CodedError at once for an order that means nothing: the connection is of no use then.
   */
  start(order: GatewayMessage<'startWorkload'>): { readonly isNew: boolean; readonly done: Promise<void> } {
    const { book } = this.#deps;
    const attemptId = requireId(order.attemptId);
    const known = book.get(attemptId);
    if (known) book.resend(attemptId);
    if (known || this.#starting.has(attemptId) || book.wasForgotten(attemptId)) return NOTHING_NEW;
    if (this.#starting.size >= MAX_STARTING || !this.#hasRoom(attemptId)) return NOTHING_NEW;
    const epoch = fromWireEpoch(order.epoch);
    this.#starting.add(attemptId);
    const done = this.#launch(order, epoch).finally(() => this.#starting.delete(attemptId));
    return { isNew: true, done };
  }

  /**
   * Never rejects.
   * @throws CodedError at once for an order that means nothing, as `start` does.
   */
  stop({ attemptId, epoch, graceful, graceMs }: GatewayMessage<'stopWorkload'>): Promise<void> {
    return this.#stop(requireId(attemptId), fromWireEpoch(epoch), graceful ? graceMs : 0);
  }

  /** Never rejects. @throws CodedError at once for an order that means nothing, as `start` does. */
  release({ attemptId, epoch }: GatewayMessage<'releaseWorkload'>): Promise<void> {
    return this.#release(requireId(attemptId), fromWireEpoch(epoch));
  }

  async #release(attemptId: string, epoch: Epoch): Promise<void> {
    const { book, supervisor, logger } = this.#deps;
    const known = book.get(attemptId);
    if (!known || compareEpochs(epoch, known.epoch) !== 0) return;
    // One that has begun or ended says so; then the gateway need not ask again.
    if (known.state !== 'accepted' && known.state !== 'preparing' && known.state !== 'ready')
      return book.resend(attemptId);
    try {
      await supervisor.release(attemptId);
    } catch (error) {
      logger.warn('A workload could not be released', { attemptId, error: errorMessage(error) });
    }
  }

  async #stop(attemptId: string, epoch: Epoch, graceMs: number): Promise<void> {
    const { book, supervisor, logger } = this.#deps;
    if (book.wasForgotten(attemptId)) return;
    const known = book.get(attemptId);
    if (!known && !this.#starting.has(attemptId)) {
      if (!this.#hasRoom(attemptId)) return;
      // It may overtake the order to start: remembered as ended, that order finds it so.
      const message = 'It was stopped before it started on this node.';
      book.observe(this.#ended(attemptId, epoch, 'stopped', message), { refused: true });
      return;
    }
    const stale = known && compareEpochs(epoch, known.epoch) < 0;
    if (stale || (known && isTerminal(known.state))) {
      book.resend(attemptId);
      return;
    }
    try {
      await supervisor.stop(attemptId, { graceMs });
    } catch (error) {
      logger.warn('A workload could not be stopped', { attemptId, error: errorMessage(error) });
    }
  }

  #gpusOf({ devices }: GatewayMessage<'startWorkload'>): readonly LaunchGpu[] {
    const granted = this.#deps.gpus().filter(({ id }) => devices.includes(id));
    return granted.map(({ id, index, vendor, simulated, memoryMib, parentId }) => ({
      ...{ id, index, vendor, simulated, memoryMib },
      ...(parentId === undefined ? {} : { parentId }),
    }));
  }

  #hasRoom(attemptId: string): boolean {
    const held = this.#deps.book.size + this.#starting.size;
    if (held < MAX_ATTEMPTS) return true;
    this.#deps.logger.warn('Too many attempts at once; the gateway will ask again', { attemptId, held });
    return false;
  }

  async #launch(order: GatewayMessage<'startWorkload'>, epoch: Epoch): Promise<void> {
    const { book, supervisor, logger } = this.#deps;
    const { attemptId } = order;
    try {
      const contactMs = this.#deps.contact.lastMs;
      const contact = contactMs === undefined ? {} : { contactMs };
      const launch = { ...launchOf(order, epoch), ...contact, gpus: this.#gpusOf(order) };
      book.observe(await supervisor.launch(launch));
    } catch (error) {
      const message = errorMessage(error);
      logger.warn('A workload could not be started', { attemptId, code: errorCode(error), error: message });
      if (UNDECIDED.has(errorCode(error))) return;
      const refusal = this.#ended(attemptId, epoch, 'launch-failed', message);
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

/** @throws CodedError `bad-frame`. */
function requireId(text: string): string {
  if (isAttemptId(text)) return text;
  throw new CodedError('The gateway sent an order for an attempt whose id is none.', { code: 'bad-frame' });
}

const NOTHING_NEW = { isNew: false, done: Promise.resolve() };

/** @throws CodedError `invalid-spec`. */
function launchOf(order: GatewayMessage<'startWorkload'>, epoch: Epoch): Launch {
  const spec = parseSpec(order.spec);
  return {
    attemptId: order.attemptId,
    workloadId: order.workloadId,
    namespace: order.namespace,
    epoch,
    spec: { ...spec, env: { ...spec.env, ...order.environment } },
    devices: order.devices,
    ...(order.barrier ? { barrier: true } : {}),
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
