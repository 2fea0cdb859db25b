import { newId, systemClock, systemRandom, type Clock, type Random } from '@clawbernetes/kernel';
import type {
  CommandInput,
  CommandName,
  CommandOutput,
  EventView,
  WorkloadSpecInput,
  WorkloadView,
} from '@clawbernetes/protocol';
import { hasEnded } from '@clawbernetes/protocol/workload-state';
import { isTransient } from './errors.ts';
import { followEvents, type FollowEventsOptions } from './follow-events.ts';
import { followLogs, type FollowLogsOptions, type LogSource } from './follow-logs.ts';
import { isIdempotent } from './idempotent-commands.ts';
import { Patience } from './patience.ts';
import type { LogEntry } from './record-reader.ts';
import { orderText, type SignedOrder } from './order-text.ts';
import { systemFetch, Transport, type Fetch } from './transport.ts';

export interface ClientDeps {
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface ClientOptions {
  readonly url: string;
  readonly token?: string | undefined;
  /** How long log and event streams and waits outlast a gateway that is away, ms. Default 60 s. */
  readonly patienceMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface RunOptions extends CallOptions {
  /** Repeating a run with the same key answers the same workload. Made here if absent. */
  readonly idempotencyKey?: string;
}

export interface AuditCallOptions extends CallOptions {
  /** Called every two seconds while it runs. */
  readonly onProgress?: (progress: AuditProgress) => void;
}

/** Frames that an audit has looked at, and how many there are to look at. */
export type AuditProgress = CommandOutput<'ledger.audit'>['progress'];

/** What an audit found, up to the frame `sequence`. */
export type AuditReport = NonNullable<CommandOutput<'ledger.audit'>['report']> &
  Pick<CommandOutput<'ledger.audit'>, 'ledgerId' | 'sequence'>;

/** Answers to an order that was done at an earlier attempt. */
const DONE_BEFORE: ReadonlySet<string> = new Set(['order-repeated']);
const DEFAULT_PATIENCE_MS = 60_000;
/** A command's answer is worth a second try, but a person waits for the message that nothing is there. */
const COMMAND_PATIENCE_MS = 250;
/** One long poll; the gateway allows up to a minute. */
const LONG_POLL_MS = 30_000;
const PROGRESS_EVERY_MS = 2000;

/**
 * A client of one gateway. It holds nothing open: connections are the platform's, kept alive between
 * requests.
 */
export function openClient(deps: ClientDeps, options: ClientOptions): Client {
  return new Client(deps, options);
}

export class Client {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #transport: Transport;
  readonly #patienceMs: number;

  constructor(
    { fetch = systemFetch, clock = systemClock, random = systemRandom }: ClientDeps,
    options: ClientOptions,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#transport = new Transport({ fetch }, options);
    this.#patienceMs = options.patienceMs ?? DEFAULT_PATIENCE_MS;
  }

  /** Waits outlast a gateway that is away, but not one that never was there. */
  readonly #longPatience = (): number => (this.#transport.reached ? this.#patienceMs : COMMAND_PATIENCE_MS);

  get url(): string {
    return this.#transport.url;
  }

  /**
   * Carries out a command. What cannot do harm twice is sent again when no answer came.
   * @throws CodedError with the code that the gateway answered, or `gateway-unreachable`.
   */
  command<Name extends CommandName>(
    name: Name,
    input: CommandInput<Name>,
    options: CallOptions = {},
  ): Promise<CommandOutput<Name>> {
    return this.#call(name, input, options, () => COMMAND_PATIENCE_MS);
  }

  /** Submits a workload; it is stored when this answers. Safe to repeat with the same key. */
  run(spec: WorkloadSpecInput, options: RunOptions = {}): Promise<WorkloadView> {
    return this.#run(spec, options, 0);
  }

  /** Submits a workload and answers when it has ended. */
  async runToEnd(spec: WorkloadSpecInput, options: RunOptions = {}): Promise<WorkloadView> {
    const workload = await this.#run(spec, options, LONG_POLL_MS);
    return hasEnded(workload.state) ? workload : this.waitForEnd(workload.id, options);
  }

  /** The workload once it has ended, however long that takes. */
  async waitForEnd(workload: string, options: CallOptions = {}): Promise<CommandOutput<'workload.inspect'>> {
    const input = { workload, waitMs: LONG_POLL_MS };
    for (;;) {
      const view = await this.#call('workload.inspect', input, options, this.#longPatience);
      if (hasEnded(view.state)) return view;
    }
  }

  /**
   * Has an order carried out, once: what was signed is sent again, as it is, while no answer comes, for
   * `patienceMs` where the gateway was there before. What the ledger refuses is an answer other than `ok`.
   */
  async order(order: SignedOrder, options: CallOptions = {}): Promise<CommandOutput<'ledger.order'>> {
    const input = { order: orderText(order) };
    const answer = await this.#call('ledger.order', input, options, this.#longPatience);
    // Nobody else has these signatures: it was done, and its answer got lost.
    return DONE_BEFORE.has(answer.result) ? { result: 'ok', says: answer.says } : answer;
  }

  /** Audits the ledger and answers when that has ended, however long it takes. */
  async audit({ onProgress, ...options }: AuditCallOptions = {}): Promise<AuditReport> {
    const waitMs = onProgress ? PROGRESS_EVERY_MS : LONG_POLL_MS;
    let answer = await this.#call('ledger.audit', { waitMs }, options, this.#longPatience);
    while (!answer.report) {
      onProgress?.(answer.progress);
      const input = { audit: answer.audit, waitMs };
      answer = await this.#call('ledger.audit', input, options, this.#longPatience);
    }
    const { ledgerId, sequence, report } = answer;
    return { ledgerId, sequence, ...report };
  }

  /** A workload's log, each entry exactly once, however often the connection is lost. */
  followLogs(workload: string, options: FollowLogsOptions = {}): AsyncGenerator<LogEntry, void, undefined> {
    const readLog: LogSource['readLog'] = (reference, from) =>
      this.command('workload.logs', { workload: reference, ...from, maxBytes: 1 }, options);
    const source = { ...this.#streamSource(), readLog };
    return followLogs(source, workload, options);
  }

  /** The fleet's events in order without gaps; endless until aborted. */
  events(options: FollowEventsOptions = {}): AsyncGenerator<EventView, void, undefined> {
    return followEvents(this.#streamSource(), options);
  }

  #run(spec: WorkloadSpecInput, options: RunOptions, waitMs: number): Promise<WorkloadView> {
    const idempotencyKey = options.idempotencyKey ?? newId('run', this.#clock, this.#random);
    return this.#call('workload.run', { spec, idempotencyKey, waitMs }, options, this.#longPatience);
  }

  async #call<Name extends CommandName>(
    name: Name,
    input: CommandInput<Name>,
    { signal }: CallOptions,
    patienceMs: () => number,
  ): Promise<CommandOutput<Name>> {
    const patience = new Patience(this.#deps(), { patienceMs, signal });
    const body = JSON.stringify(input);
    for (;;) {
      try {
        // The gateway validates what it answers; checking the shape again would only cost time here.
        return (await this.#transport.post(`/api/commands/${name}`, body, { signal })) as CommandOutput<Name>;
      } catch (error) {
        if (!isIdempotent(name) || !isTransient(error)) throw error;
        await patience.afterFailure(error);
      }
    }
  }

  #deps(): { clock: Clock; random: Random } {
    return { clock: this.#clock, random: this.#random };
  }

  #streamSource() {
    return { ...this.#deps(), transport: this.#transport, patienceMs: this.#longPatience };
  }
}
