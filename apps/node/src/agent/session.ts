import { errorMessage, every, type Clock, type Logger, type Timer } from '@clawbernetes/kernel';
import {
  isTerminal,
  type AttemptStatus,
  type encodeNodeFrame,
  type GatewayBody,
} from '@clawbernetes/protocol';
import type { GpuMetrics } from '../host.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import type { AttemptBook } from './attempt-book.ts';
import type { CommandRunner } from './commands/command-runner.ts';
import type { Contact } from './contact.ts';
import type { GatewayMessage } from './handshake.ts';
import type { Inventory } from './inventory.ts';
import type { Launcher } from './launcher.ts';
import { Lease } from './lease.ts';
import { LogShipper } from './log-shipper.ts';
import type { HeartbeatMetrics } from './heartbeat-metrics.ts';
import { reportOf, STATUSES_PER_REPORT } from './reports.ts';

/**
 * Bytes that the connection has not taken above which statuses wait in the book, where the newest replaces
 * the older.
 */
const MAX_BACKLOG_BYTES = 2 * 1024 * 1024;
/** What a gateway may ask for, whatever it says. */
const HEARTBEAT_MS = { min: 100, max: 60_000 } as const;
/**
 * Progress, from being taken on, waits this long for what comes next, so that a short job tells its life in
 * one report; an end waits for nothing.
 */
const PROGRESS_MS = 20;
const LEASE_MS = { min: 1000, max: 3_600_000 } as const;

export type NodeMessage = NonNullable<Parameters<typeof encodeNodeFrame>[1]>;

/** A connection as its session sees it. */
export interface Link {
  readonly backlogBytes: number;
  /** @returns the frame's id. */
  send(body: NodeMessage): number;
  /** Ends the connection; the node connects again. */
  fail(reason: string): void;
}

export interface SessionDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly supervisor: Supervisor;
  readonly book: AttemptBook;
  readonly launcher: Launcher;
  readonly contact: Contact;
  readonly metrics: HeartbeatMetrics;
  readonly inventory: Inventory;
  readonly commands: CommandRunner;
}

/** What a registered node does over one connection: obeys, reports, ships logs and keeps its lease. */
export class Session implements Disposable {
  readonly #deps: SessionDeps;
  readonly #link: Link;
  readonly #lease: Lease;
  readonly #shipper: LogShipper;
  readonly #heartbeatMs: number;
  #heartbeat: Timer | undefined;
  #flushDue = false;
  #later: Timer | undefined;
  #closed = false;

  constructor(deps: SessionDeps, link: Link, registered: GatewayMessage<'registered'>) {
    this.#deps = deps;
    this.#link = link;
    this.#heartbeatMs = within(HEARTBEAT_MS, registered.heartbeatIntervalMs);
    this.#lease = new Lease(
      deps,
      () => link.fail('the gateway stopped answering heartbeats'),
      (contactMs) => deps.contact.answered(contactMs),
    );
    this.#lease.begin(within(LEASE_MS, registered.leaseMs));
    this.#shipper = new LogShipper({
      ...deps,
      send: (chunk) =>
        void link.send({ case: 'logChunk', value: { ...chunk, position: BigInt(chunk.position) } }),
      backlogBytes: () => link.backlogBytes,
    });
  }

  /** Monotonic ms until which the gateway holds this node for connected. */
  get leaseExpiresAtMs(): number {
    return this.#lease.expiresAtMs;
  }

  begin(): void {
    const { book, clock } = this.#deps;
    for (const status of book.all()) this.#noteLog(status);
    book.resendUnconfirmed();
    this.#flush();
    void this.#beat();
    this.#heartbeat = every(clock, this.#heartbeatMs, () => void this.#beat());
  }

  statusChanged(status: AttemptStatus): void {
    this.#noteLog(status);
    this.#flushFor(status);
  }

  logGrown(attemptId: string, end: number): void {
    this.#shipper.grown(attemptId, end);
  }

  inventoryChanged(): void {
    this.#reportInventory(this.#deps.inventory.encode());
  }

  /** Acts on one frame. Unknown kinds come from newer gateways and are left alone. */
  handle(body: GatewayBody): void {
    switch (body.case) {
      case 'startWorkload':
        return this.#start(body.value);
      case 'stopWorkload':
        return void this.#deps.launcher.stop(body.value).then(() => this.#flushSoon());
      case 'releaseWorkload':
        return void this.#deps.launcher.release(body.value).then(() => this.#flushSoon());
      case 'statusAck':
        for (const each of body.value.revisions)
          this.#deps.book.confirm(each.attemptId, Number(each.revision));
        return this.#flushSoon();
      case 'logAck':
        return this.#confirmLog(body.value.attemptId, Number(body.value.position));
      case 'logStart':
        return this.#startLog(body.value.attemptId, Number(body.value.position));
      case 'leaseGrant':
        return this.#lease.granted(Number(body.value.heartbeatId), within(LEASE_MS, body.value.leaseMs));
      case 'desiredState':
        return body.value.listAttempts ? this.#reportInventory(new Uint8Array()) : undefined;
      case 'command':
        return this.#command(body.value);
      // The first four belong to the handshake; this version has no configuration that a gateway may change.
      case 'challenge':
      case 'pending':
      case 'registered':
      case 'error':
      case 'updateConfig':
      case undefined:
        return this.#deps.logger.debug('A frame of the gateway has no meaning here', { kind: body.case });
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#later?.cancel();
    this.#heartbeat?.cancel();
    this.#lease[Symbol.dispose]();
    this.#shipper[Symbol.dispose]();
  }

  #start(order: GatewayMessage<'startWorkload'>): void {
    const { isNew, done } = this.#deps.launcher.start(order);
    if (isNew) this.#shipper.start(order.attemptId, 0);
    void done.then(() => this.#flushFor(this.#deps.book.get(order.attemptId)));
  }

  #startLog(attemptId: string, position: number): void {
    const status = this.#deps.book.get(attemptId);
    if (!status) return;
    this.#confirmLog(attemptId, position);
    this.#shipper.start(attemptId, position);
    // How far the log of a live attempt has grown is known only to the supervisor: worth one look.
    if (!isTerminal(status.state)) this.#shipper.grown(attemptId, position + 1);
  }

  #confirmLog(attemptId: string, position: number): void {
    this.#deps.book.confirmLog(attemptId, position);
    this.#shipper.confirm(attemptId, position);
    this.#flushSoon();
  }

  #noteLog({ attemptId, state, logEnd }: AttemptStatus): void {
    if (isTerminal(state)) this.#shipper.ended(attemptId, logEnd);
    else if (logEnd > 0) this.#shipper.grown(attemptId, logEnd);
  }

  #command(order: GatewayMessage<'command'>): void {
    void this.#deps.commands.run(order).then((reply) => {
      if (reply) this.#link.send({ case: 'commandResult', value: reply });
    });
  }

  #reportInventory(inventory: Uint8Array): void {
    const attempts = reportOf(this.#deps.book.all(), inventory.length);
    this.#link.send({ case: 'inventoryReport', value: { attempts, inventory } });
  }

  async #beat(): Promise<void> {
    const { book, clock, metrics } = this.#deps;
    const sample = await metrics.sample();
    if (this.#closed) return;
    const { gpus, system } = sample ?? {};
    const contactMs = this.#deps.contact.now();
    const frameId = this.#link.send({
      case: 'heartbeat',
      value: {
        timestampMs: BigInt(Math.round(clock.nowMs())),
        gpus: (gpus ?? []).map(wireGpu),
        ...(system === undefined ? {} : { system: wireSystem(system) }),
        attemptsDigest: book.digest(),
      },
    });
    this.#lease.sent(frameId, contactMs);
    book.resendUnconfirmed(clock.monotonicMs() - this.#heartbeatMs);
    this.#flush();
    this.#shipper.retryStalled();
  }

  #flushFor(status: AttemptStatus | undefined): void {
    if (!status || isTerminal(status.state)) this.#flushSoon();
    else this.#later ??= this.#deps.clock.after(PROGRESS_MS, () => this.#flush());
  }

  /** Everything that happens in one turn leaves in one report. */
  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    queueMicrotask(() => {
      this.#flushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#later?.cancel();
    this.#later = undefined;
    if (this.#closed) return;
    const { book, clock } = this.#deps;
    while (book.hasUnsent && this.#link.backlogBytes < MAX_BACKLOG_BYTES) {
      const statuses = reportOf(book.takeUnsent(STATUSES_PER_REPORT, clock.monotonicMs()));
      this.#link.send({ case: 'statusReport', value: { statuses } });
    }
    this.#forgetSettled();
  }

  #forgetSettled(): void {
    const { book, supervisor, logger } = this.#deps;
    const settled = book.takeSettled();
    for (const { attemptId } of settled) this.#shipper.drop(attemptId);
    const supervised = settled.filter((each) => each.supervised).map((each) => each.attemptId);
    if (supervised.length === 0) return;
    supervisor.forget(supervised).catch((error: unknown) => {
      // Nothing is lost: after a restart of the agent they are reported, confirmed and forgotten again.
      logger.warn('Ended workloads could not be forgotten', {
        attempts: supervised.length,
        error: errorMessage(error),
      });
    });
  }
}

function wireGpu({ deviceId, memoryUsedMib, clockMhz, eccUncorrected, ...readings }: GpuMetrics) {
  return {
    deviceId,
    ...present(readings),
    ...(memoryUsedMib === undefined ? {} : { memoryUsedMib: natural(memoryUsedMib) }),
    ...(clockMhz === undefined ? {} : { clockMhz: Math.max(0, Math.round(clockMhz)) }),
    ...(eccUncorrected === undefined ? {} : { eccUncorrected: natural(eccUncorrected) }),
  };
}

function present(readings: Pick<GpuMetrics, 'utilizationPercent' | 'temperatureC' | 'powerW'>) {
  const { utilizationPercent, temperatureC, powerW } = readings;
  return {
    ...(utilizationPercent === undefined ? {} : { utilizationPercent }),
    ...(temperatureC === undefined ? {} : { temperatureC }),
    ...(powerW === undefined ? {} : { powerW }),
  };
}

function wireSystem<
  System extends { memoryUsedMib: number; memoryTotalMib: number; diskUsedMib: number; diskTotalMib: number },
>(system: System) {
  return {
    ...system,
    memoryUsedMib: natural(system.memoryUsedMib),
    memoryTotalMib: natural(system.memoryTotalMib),
    diskUsedMib: natural(system.diskUsedMib),
    diskTotalMib: natural(system.diskTotalMib),
  };
}

function natural(amount: number): bigint {
  return BigInt(Math.max(0, Math.round(amount)));
}

function within({ min, max }: { readonly min: number; readonly max: number }, value: number): number {
  return Math.min(max, Math.max(min, value));
}
