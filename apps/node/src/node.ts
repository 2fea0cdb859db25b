import { nodeIdOf, type NodeId } from '@clawbernetes/identity';
import { backoffMs, errorMessage, sleep, withTimeout } from '@clawbernetes/kernel';
import { isTerminal, type AttemptStatus, type FrameChannel } from '@clawbernetes/protocol';
import { AttemptBook } from './agent/attempt-book.ts';
import { CommandRunner } from './agent/commands/command-runner.ts';
import { Contact } from './agent/contact.ts';
import { Connection, type ConnectionDeps, type ConnectionEnd } from './agent/connection.ts';
import { Inventory } from './agent/inventory.ts';
import { Launcher } from './agent/launcher.ts';
import { HeartbeatMetrics } from './agent/heartbeat-metrics.ts';
import { nodeError, type NodeError } from './errors.ts';
import { switchCommands, type FeatureSwitch } from './features.ts';
import type { Membership, NodeHost } from './host.ts';

const FIRST_RECONNECT_MS = 500;
const CONNECT_DEADLINE_MS = 15_000;
/** A connection that held this long was a good one: the next failure starts with short waits again. */
const GOOD_CONNECTION_MS = 10_000;

export interface NodeOptions {
  readonly name: string;
  /** `ws://host:8080/node` or `wss://…`. */
  readonly gatewayUrl: string;
  readonly agentVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly joinToken?: string;
  readonly features?: FeatureSwitch;
  /** Longest wait between two tries to connect. */
  readonly reconnectIntervalMs?: number;
  /** Failed tries in a row after which the node gives up; absent = never. */
  readonly maxReconnectAttempts?: number;
  readonly metricsIntervalMs?: number;
  readonly detailedGpuMetrics?: boolean;
  /** GPU memory in use from which node.health warns. */
  readonly memoryAlertPercent?: number;
}

export const NODE_DEFAULTS = {
  reconnectIntervalMs: 30_000,
  metricsIntervalMs: 10_000,
  detailedGpuMetrics: true,
  memoryAlertPercent: 95,
} as const;

export type NodePhase = 'connecting' | 'pending' | 'registered' | 'stopped';

/** Detects the hardware, takes over what the supervisor runs and begins to connect. */
export async function openNode(host: NodeHost, options: NodeOptions): Promise<NodeAgent> {
  const book = new AttemptBook();
  const membership = await host.memberships.load();
  const inventory = await Inventory.open(host);
  const agent = new NodeAgent(host, options, { book, inventory, membership });
  for (const status of await host.supervisor.list()) book.observe(status);
  agent.begin();
  return agent;
}

/**
 * The agent of one machine. It runs what its gateway asks for and keeps running it while the gateway is
 * away.
 */
export class NodeAgent implements AsyncDisposable {
  readonly nodeId: NodeId;
  readonly #host: NodeHost;
  readonly #options: NodeOptions;
  readonly #deps: ConnectionDeps;
  readonly #commands: readonly string[];
  readonly #stop = new AbortController();
  readonly #ended = Promise.withResolvers<NodeError | undefined>();
  #membership: Membership | undefined;
  #connection: Connection | undefined;

  constructor(
    host: NodeHost,
    options: NodeOptions,
    found: { book: AttemptBook; inventory: Inventory; membership: Membership | undefined },
  ) {
    const { book, inventory } = found;
    const { enabled, disabled } = switchCommands(options.features);
    this.nodeId = nodeIdOf(host.key.publicKey);
    this.#host = host;
    this.#options = options;
    this.#membership = found.membership;
    this.#commands = enabled;
    const { metricsIntervalMs, detailedGpuMetrics, memoryAlertPercent } = { ...NODE_DEFAULTS, ...options };
    const { name, agentVersion } = options;
    const facts = { name, agentVersion, memoryAlertPercent, enabled, disabled };
    const context = {
      ...{ clock: host.clock, hardware: host.hardware, supervisor: host.supervisor, book, facts },
      inventory: () => inventory.present,
      detect: () => inventory.detect(),
    };
    const contact = new Contact(host);
    this.#deps = {
      ...host,
      ...{ book, inventory },
      contact,
      launcher: new Launcher({ ...host, book, contact, gpus: () => inventory.present.gpus }),
      metrics: new HeartbeatMetrics(host, { intervalMs: metricsIntervalMs, detailedGpuMetrics }),
      commands: new CommandRunner(context, host),
    };
    this.#listen();
  }

  /** Resolves when the node has stopped: with the reason if it gave up by itself. Never rejects. */
  get ended(): Promise<NodeError | undefined> {
    return this.#ended.promise;
  }

  get phase(): NodePhase {
    if (this.#stop.signal.aborted) return 'stopped';
    const phase = this.#connection?.phase;
    return phase === 'pending' || phase === 'registered' ? phase : 'connecting';
  }

  /** Monotonic ms until which the gateway holds this node for connected; -Infinity if it does not. */
  get leaseExpiresAtMs(): number {
    return this.#connection?.session?.leaseExpiresAtMs ?? -Infinity;
  }

  attempts(): readonly AttemptStatus[] {
    return this.#deps.book.all();
  }

  begin(): void {
    const refreshing = this.#deps.inventory.keepPresent(this.#host);
    void this.#run().then((reason) => {
      refreshing[Symbol.dispose]();
      this.#stop.abort();
      this.#ended.resolve(reason);
    });
  }

  /** Asks the supervisor to end everything that runs. */
  async stopWorkloads(graceMs: number): Promise<void> {
    const live = this.attempts().filter(({ state }) => !isTerminal(state));
    await Promise.all(live.map(({ attemptId }) => this.#host.supervisor.stop(attemptId, { graceMs })));
  }

  /** Disconnects. Workloads go on under the supervisor, which belongs to the host. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#connection?.close();
    await this.ended;
  }

  #listen(): void {
    const { supervisor, logger } = this.#host;
    supervisor.onStatus((status) => {
      if (this.#deps.book.observe(status)) this.#connection?.session?.statusChanged(status);
    });
    supervisor.onLog((attemptId, end) => this.#connection?.session?.logGrown(attemptId, end));
    supervisor.onLost((reason) => {
      logger.error('The supervisor was lost', { reason });
      void this.#takeStock();
    });
    this.#deps.inventory.onChange(() => this.#connection?.session?.inventoryChanged());
  }

  /** What a new supervisor does not know is lost with the old one. */
  async #takeStock(): Promise<void> {
    const { supervisor, clock, logger } = this.#host;
    const { book } = this.#deps;
    try {
      const known = new Set((await supervisor.list()).map(({ attemptId }) => attemptId));
      for (const status of book.all()) {
        if (known.has(status.attemptId) || isTerminal(status.state)) continue;
        const lost = lostStatus(status, clock.nowMs());
        if (book.observe(lost, { refused: true })) this.#connection?.session?.statusChanged(lost);
      }
    } catch (error) {
      logger.error('The new supervisor did not say what it runs', { error: errorMessage(error) });
    }
  }

  /** Connects again and again; resolves with the reason for giving up, or undefined once stopped. */
  async #run(): Promise<NodeError | undefined> {
    const { clock, random, logger } = this.#host;
    const { reconnectIntervalMs: maxMs, maxReconnectAttempts = Infinity } = {
      ...NODE_DEFAULTS,
      ...this.#options,
    };
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; failures += 1) {
      const end = await this.#connectOnce();
      if (end.fatal) return end.fatal;
      if (signal.aborted) break;
      if (end.registeredMs >= GOOD_CONNECTION_MS) failures = 0;
      if (failures >= maxReconnectAttempts) return this.#unreachable(failures + 1, end.reason);
      const delayMs = backoffMs(failures, { firstMs: FIRST_RECONNECT_MS, maxMs }, random);
      logger.warn('Not connected to the gateway; workloads go on', {
        gateway: this.#options.gatewayUrl,
        reason: end.reason,
        retryInMs: Math.round(delayMs),
      });
      await sleep(clock, delayMs, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  async #connectOnce(): Promise<ConnectionEnd> {
    let channel: FrameChannel;
    try {
      channel = await this.#open();
    } catch (error) {
      return { reason: errorMessage(error), registeredMs: 0 };
    }
    const { name, labels = {}, agentVersion, joinToken } = this.#options;
    const registration = { name, labels, agentVersion, joinToken, commands: this.#commands };
    this.#connection = new Connection(this.#deps, registration, channel, this.#membership);
    if (this.#stop.signal.aborted) this.#connection.close();
    const end = await this.#connection.ended;
    this.#membership = this.#connection.membership;
    return end;
  }

  async #open(): Promise<FrameChannel> {
    const { gatewayUrl } = this.#options;
    const signal = this.#stop.signal;
    const giveUp = new AbortController();
    const opening = this.#host.connect(gatewayUrl, { signal: AbortSignal.any([signal, giveUp.signal]) });
    try {
      return await withTimeout(this.#host.clock, CONNECT_DEADLINE_MS, 'the gateway did not answer', opening);
    } catch (error) {
      giveUp.abort();
      throw error;
    }
  }

  #unreachable(tries: number, reason: string): NodeError {
    return nodeError(
      'gateway-unreachable',
      `The gateway at ${this.#options.gatewayUrl} could not be reached in ${tries} tries (${reason}). ` +
        'Check that it runs and that the address is right, then start this node again.',
    );
  }
}

function lostStatus(status: AttemptStatus, finishedAtMs: number): AttemptStatus {
  return {
    ...status,
    revision: status.revision + 1,
    state: 'lost',
    reason: 'supervisor-lost',
    message: 'The supervisor of the node was lost, and with it what it knew of this attempt.',
    finishedAtMs,
    logEnd: 0,
  };
}
