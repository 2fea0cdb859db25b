import {
  backoffMs,
  errorCode,
  errorMessage,
  sleep,
  withTimeout,
  type Clock,
  type Logger,
  type Random,
} from '@clawbernetes/kernel';
import type { AttemptStatus } from '@clawbernetes/protocol';
import type { ExecRequest, ExecResult, ExecutionStats, Executor, Launch } from '../execution/executor.ts';
import {
  BARRIER_PROTOCOL_VERSION,
  CONTACT_PROTOCOL_VERSION,
  OLDEST_PROTOCOL_VERSION,
  PROTOCOL_VERSION,
  type Event,
  type MethodName,
  type Params,
  type Welcome,
} from './messages.ts';
import { stopsAfterMs } from './contact-watch.ts';
import type { Environment } from './executors.ts';
import { machineUptimeMs } from './machine-uptime.ts';
import { identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';
import { connectOrStart } from './start-supervisor.ts';
import type { LogSlice, Supervisor } from './supervisor.ts';
import { supervisorError } from './supervisor-error.ts';
import { startSettings } from './start-settings.ts';
import type { StartSettings, SupervisorSettings } from './supervisor-settings.ts';
import type { Reply, WireClient } from './wire-client.ts';

const RECONNECT = { firstMs: 20, maxMs: 5000 };
/**
 * How often a request is sent again when the supervisor dies over it, so that a deadly one does not go on for
 * ever.
 */
const MAX_REPEATS = 5;
/** For a supervisor that was told to end to be gone, ms. */
const GONE_MS = 10_000;
const POLL_MS = 5;

export interface SocketSupervisorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The agent's own; the supervisor gets what it needs of it. */
  readonly environment: Environment;
}

export interface ConnectSupervisorOptions extends SupervisorSettings {
  /** Id of this agent's node: the attempts of others are out of sight. */
  readonly owner: string;
}

/** Connects to the supervisor of `stateFolder`, starting or, if it is older and idle, replacing it. */
export function connectSupervisor(
  deps: SocketSupervisorDeps,
  options: ConnectSupervisorOptions,
): Promise<SocketSupervisor> {
  return SocketSupervisor.open(deps, options);
}

/**
 * The supervisor as a process of its own, reached by its socket. Should it die, another is started and asked
 * again.
 */
export class SocketSupervisor implements Supervisor {
  readonly uptimeMs = machineUptimeMs;
  readonly #deps: SocketSupervisorDeps;
  readonly #owner: string;
  readonly #settings: StartSettings;
  readonly #revisions = new Map<string, number>();
  readonly #statusListeners: ((status: AttemptStatus) => void)[] = [];
  readonly #logListeners: ((attemptId: string, end: number) => void)[] = [];
  readonly #lostListeners: ((reason: string) => void)[] = [];
  #connection: Promise<WireClient>;
  #process: ProcessIdentity | undefined;
  /** Of the supervisor that is connected. */
  #protocol = 0;
  #closed = false;
  #saidBye = false;
  #resting = false;

  static async open(
    deps: SocketSupervisorDeps,
    options: ConnectSupervisorOptions,
  ): Promise<SocketSupervisor> {
    const supervisor = new SocketSupervisor(deps, options);
    supervisor.#follow(await supervisor.#connection);
    return supervisor;
  }

  private constructor(deps: SocketSupervisorDeps, { owner, ...settings }: ConnectSupervisorOptions) {
    this.#deps = deps;
    this.#owner = owner;
    this.#settings = startSettings(settings);
    this.#connection = this.#connect({ first: true });
  }

  /**
   * Process id of the supervisor, for people and tests; undefined between one that ended in order and the
   * next.
   */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async launch(launch: Launch): Promise<AttemptStatus> {
    if (launch.barrier)
      await this.#require(BARRIER_PROTOCOL_VERSION, 'hold members of a gang until all are ready');
    if (stopsAfterMs(launch) !== undefined)
      await this.#require(CONTACT_PROTOCOL_VERSION, 'stop work that may not run without the gateway');
    const { result } = await this.#request('launch', { launch });
    return result;
  }

  async stop(attemptId: string, { graceMs }: { readonly graceMs: number }): Promise<void> {
    await this.#request('stop', { attemptId, graceMs });
  }

  async release(attemptId: string): Promise<void> {
    await this.#request('release', { attemptId });
  }

  /** One that rests has nothing that could need it. */
  async contact(sentMs: number): Promise<void> {
    if (this.#resting || this.#protocol < CONTACT_PROTOCOL_VERSION) return;
    await (await this.#connected()).request('contact', { sentMs });
  }

  async list(): Promise<readonly AttemptStatus[]> {
    const { result } = await this.#request('list', null);
    return result;
  }

  async forget(attemptIds: readonly string[]): Promise<void> {
    await this.#request('forget', { attemptIds });
    for (const attemptId of attemptIds) this.#revisions.delete(attemptId);
  }

  /** Not repeated when the supervisor dies over it: whether it ran is unknown then (`supervisor-lost`). */
  async exec(attemptId: string, request: ExecRequest): Promise<ExecResult> {
    const { result, bytes } = await (await this.#connected()).request('exec', { attemptId, request });
    const { stdoutBytes, ...rest } = result;
    return { ...rest, stdout: bytes.subarray(0, stdoutBytes), stderr: bytes.subarray(stdoutBytes) };
  }

  async stats(attemptId: string): Promise<ExecutionStats> {
    const { result } = await this.#request('stats', { attemptId });
    return result;
  }

  async readLog(attemptId: string, position: number, maxBytes: number): Promise<LogSlice> {
    const { result, bytes } = await this.#request('readLog', { attemptId, position, maxBytes });
    return { ...result, records: bytes };
  }

  /**
   * What the node's executor of this kind cannot do. @throws CodedError `executor-unavailable` if there is
   * none.
   */
  async limitations(kind: Executor['kind']): Promise<readonly string[]> {
    const { result } = await this.#request('limitations', { kind });
    return result;
  }

  onStatus(listener: (status: AttemptStatus) => void): void {
    this.#statusListeners.push(listener);
  }

  onLog(listener: (attemptId: string, end: number) => void): void {
    this.#logListeners.push(listener);
  }

  onLost(listener: (reason: string) => void): void {
    this.#lostListeners.push(listener);
  }

  /** Stops all workloads of this supervisor, of every agent, and ends it. */
  async shutdown({ graceMs }: { readonly graceMs: number }): Promise<void> {
    const client = await this.#connected();
    this.#closed = true;
    await client.request('shutdown', { graceMs }).catch((error: unknown) => {
      // Gone without an answer is gone.
      if (errorCode(error) !== 'supervisor-lost') throw error;
    });
    await this.#gone();
    client.close();
  }

  /** Ends the supervisor unless something runs. This connection can be used no more. */
  async endIfIdle(): Promise<void> {
    this.#closed = true;
    const client = await this.#connection;
    const { result } = await client.request('shutdownIfIdle', null);
    if (result.stopping) await this.#gone();
  }

  /** Lets go of the supervisor; it and its workloads live on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const client = await this.#connection.catch(() => undefined);
    client?.close();
  }

  async #request<M extends MethodName>(method: M, params: Params<M>): Promise<Reply<M>> {
    for (let repeat = 0; ; repeat += 1) {
      const client = await this.#connected();
      try {
        return await client.request(method, params);
      } catch (error) {
        const code = errorCode(error);
        const passing = code === 'supervisor-lost' || code === 'supervisor-stopping';
        if (!passing || this.#closed || repeat >= MAX_REPEATS) throw error;
      }
      // One that is stopping takes nothing any more; its successor does.
      await client.closed;
    }
  }

  async #connect({ first }: { readonly first: boolean }): Promise<WireClient> {
    for (let repeat = 0; ; repeat += 1) {
      const client = await connectOrStart(this.#deps, this.#settings, (event) => this.#take(event));
      const welcome = await this.#greet(client, repeat);
      if (!welcome) continue;
      this.#process = identityOf(welcome.pid);
      this.#protocol = welcome.protocol;
      if (this.#wantsOther(welcome, first) && (await this.#replace(client))) continue;
      this.#refuseIncompatible(client, welcome);
      this.#saidBye = false;
      return client;
    }
  }

  /** Undefined if the supervisor died before it answered, so that another must be looked for. */
  async #greet(client: WireClient, repeat: number): Promise<Welcome | undefined> {
    const versions = { protocol: PROTOCOL_VERSION, oldestProtocol: OLDEST_PROTOCOL_VERSION };
    try {
      return (await client.request('hello', { ...versions, owner: this.#owner })).result;
    } catch (error) {
      if (errorCode(error) === 'supervisor-lost' && repeat < MAX_REPEATS) return undefined;
      throw error;
    }
  }

  /**
   * An older one is replaced if it is idle; a newer one serves older agents too. One with other settings is
   * replaced when an agent starts only: else two agents with different settings would take turns for ever.
   */
  #wantsOther({ version, settings }: Welcome, first: boolean): boolean {
    const age = compareVersions(version, this.#settings.version);
    return age < 0 || (age === 0 && first && settings !== this.#settings.digest);
  }

  async #replace(client: WireClient): Promise<boolean> {
    const stopping = await client.request('shutdownIfIdle', null).then(
      ({ result }) => result.stopping,
      (error: unknown) => errorCode(error) === 'supervisor-lost',
    );
    if (!stopping) {
      const facts = { pid: this.#process?.pid };
      this.#deps.logger.info(
        'The running supervisor has workloads and is kept, with its version and settings',
        facts,
      );
      return false;
    }
    await this.#gone();
    client.close();
    return true;
  }

  async #require(version: number, ability: string): Promise<void> {
    await this.#connected();
    if (this.#protocol >= version) return;
    throw supervisorError(
      'supervisor-incompatible',
      `The supervisor of this node is of an older version, kept while its workloads run, and cannot ${ability}. ` +
        'It is replaced once its workloads have ended.',
    );
  }

  #refuseIncompatible(
    client: WireClient,
    { protocol, oldestProtocol, version, pid, liveAttempts }: Welcome,
  ): void {
    if (protocol >= OLDEST_PROTOCOL_VERSION && oldestProtocol <= PROTOCOL_VERSION) return;
    client.close();
    throw supervisorError(
      'supervisor-incompatible',
      `The supervisor of version ${version} (process ${pid}) still runs ${liveAttempts} workloads and cannot be used by ` +
        `version ${this.#settings.version}. Run the other version until they have ended, or stop them.`,
    );
  }

  /** Connects again, for as long as it takes, once this connection has ended. */
  #follow(client: WireClient): void {
    void client.closed.then(() => {
      if (this.#closed) return undefined;
      return this.#saidBye ? this.#rest() : this.#reconnect();
    });
  }

  /** It ended in good order: the next request starts another. */
  #rest(): void {
    this.#saidBye = false;
    this.#process = undefined;
    this.#resting = true;
  }

  #connected(): Promise<WireClient> {
    if (this.#resting) {
      this.#resting = false;
      void this.#reconnect();
    }
    return this.#connection;
  }

  async #reconnect(): Promise<void> {
    const previous = this.#process;
    for (let attempt = 0; !this.#closed; attempt += 1) {
      this.#connection = this.#connectAgain(previous);
      try {
        return this.#follow(await this.#connection);
      } catch (error) {
        // Requests of this while have got the same error.
        this.#deps.logger.warn('The supervisor cannot be reached', { error: errorMessage(error) });
      }
      await sleep(this.#deps.clock, backoffMs(attempt, RECONNECT, this.#deps.random));
    }
  }

  async #connectAgain(previous: ProcessIdentity | undefined): Promise<WireClient> {
    const client = await this.#connect({ first: false });
    if (previous && !isSame(previous, this.#process)) this.#tellLost(previous);
    await this.#catchUp(client);
    return client;
  }

  #tellLost({ pid }: ProcessIdentity): void {
    const reason = `The supervisor process ${pid} is gone; another was started. Plain processes have ended with it.`;
    for (const listener of this.#lostListeners) listener(reason);
  }

  /** Tells what has changed while there was no connection. */
  async #catchUp(client: WireClient): Promise<void> {
    const { result: statuses } = await client.request('list', null);
    this.#take({ event: 'statuses', statuses });
    const ends = statuses.map(({ attemptId, logEnd }) => [attemptId, logEnd] as const);
    this.#take({ event: 'logs', ends: ends.filter(([, end]) => end > 0) });
  }

  #take(event: Event): void {
    if (event.event === 'bye') {
      this.#saidBye = true;
      return;
    }
    if (event.event === 'logs') {
      for (const [attemptId, end] of event.ends) for (const tell of this.#logListeners) tell(attemptId, end);
      return;
    }
    for (const status of event.statuses) {
      if (status.revision <= (this.#revisions.get(status.attemptId) ?? 0)) continue;
      this.#revisions.set(status.attemptId, status.revision);
      for (const tell of this.#statusListeners) tell(status);
    }
  }

  async #gone(): Promise<void> {
    const { clock } = this.#deps;
    const wait = async (): Promise<void> => {
      const deadlineMs = clock.monotonicMs() + GONE_MS;
      while (this.#process && isRunning(this.#process) && clock.monotonicMs() < deadlineMs) {
        await sleep(clock, POLL_MS);
      }
    };
    await withTimeout(clock, 2 * GONE_MS, 'The supervisor did not end.', wait());
  }
}

function isSame(left: ProcessIdentity, right: ProcessIdentity | undefined): boolean {
  return left.pid === right?.pid && left.startTicks === right.startTicks;
}

/**
 * Negative, zero or positive as `left` is older than, the same as or newer than `right`; `1.2.3` by its
 * numbers.
 */
function compareVersions(left: string, right: string): number {
  const [leftParts, rightParts] = [left, right].map((version) => version.split(/[.+-]/).map(Number));
  for (let index = 0; index < 3; index += 1) {
    const difference = (leftParts?.[index] ?? 0) - (rightParts?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
