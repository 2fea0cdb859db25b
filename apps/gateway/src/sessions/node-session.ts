import { errorCode, errorMessage, type Clock, type Logger } from '@clawbernetes/kernel';
import {
  attemptsDigestText,
  encodeGatewayFrame,
  fromWireStatus,
  isTerminal,
  type FrameChannel,
  type NodeBody,
} from '@clawbernetes/protocol';
import { createHash } from 'node:crypto';
import type { AttemptRecord, Fleet, WorkloadRecord } from '@clawbernetes/fleet';
import { gatewayError } from '../errors.ts';
import type { WorkloadLogs } from '../logs/workload-logs.ts';
import type { NodeMetrics } from './node-metrics.ts';
import { parseInventory } from './parse-inventory.ts';

type Body = Parameters<typeof encodeGatewayFrame>[1];
type Frame<Case extends NodeBody['case']> = Extract<NodeBody, { case: Case }>['value'];

export interface NodeSessionDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fleet: Fleet;
  readonly logs: WorkloadLogs;
  readonly metrics: NodeMetrics;
  /** An answer to a forwarded command. */
  readonly onCommandResult: (result: Frame<'commandResult'>) => void;
}

/**
 * Version of the node protocol from which a node ends by itself what may not run without contact, and holds
 * members of gangs until all are ready.
 */
const STOPS_AND_HOLDS = 2;

/** Far beyond any log, and exact as a number, with room for a frame more. */
const MAX_POSITION = 2n ** 52n;

/** Frames of a channel, numbered, and the bound on what may wait in it. */
export class FrameSender {
  readonly #channel: FrameChannel;
  readonly #maxBacklogBytes: number;
  readonly #onTooSlow: () => void;
  #nextId = 1;

  /** @param onTooSlow more waits for the peer than may: the channel is to be closed. */
  constructor(channel: FrameChannel, maxBacklogBytes: number, onTooSlow: () => void) {
    this.#channel = channel;
    this.#maxBacklogBytes = maxBacklogBytes;
    this.#onTooSlow = onTooSlow;
  }

  /** Sends, or gives up a peer that does not read: desired state repairs what it missed. */
  send(body: Body): void {
    this.#channel.send(encodeGatewayFrame(this.#nextId, body));
    this.#nextId += 1;
    if (this.#channel.backlogBytes > this.#maxBacklogBytes) this.#onTooSlow();
  }
}

/** The conversation with one approved node over one connection. */
export class NodeSession {
  readonly nodeId: string;
  readonly #deps: NodeSessionDeps;
  readonly #sender: FrameSender;
  readonly #leaseMs: number;
  /** Of the node protocol. */
  readonly #version: number;
  /** Attempts that the node ran against the fleet's will when it last listed, and has not yet ended. */
  #unwanted: ReadonlySet<string> = new Set();
  /** The newest frame handled, and the newest of those that said what hardware there is. */
  #newestFrameId = 0n;
  #inventoryFrameId = 0n;
  /** The newest heartbeat that was answered, which may not have had its turn. */
  #answeredId = 0n;

  constructor(
    deps: NodeSessionDeps,
    nodeId: string,
    sender: FrameSender,
    { leaseMs, version }: { readonly leaseMs: number; readonly version: number },
  ) {
    this.#deps = deps;
    this.nodeId = nodeId;
    this.#sender = sender;
    this.#leaseMs = leaseMs;
    this.#version = version;
  }

  send(body: Body): void {
    this.#sender.send(body);
  }

  /** What an older agent would run otherwise than it must be run ends before it begins. */
  refuses({ id: attemptId, epoch, rank }: AttemptRecord, { spec }: WorkloadRecord): boolean {
    const isMember = rank !== undefined;
    const isBound = spec.onDisconnect?.action === 'stop';
    if ((!isMember && !isBound) || this.#version >= STOPS_AND_HOLDS) return false;
    const nowMs = this.#deps.clock.nowMs();
    const cannot = isMember
      ? 'hold members of a gang until all are ready'
      : 'end work that may not run without contact';
    const message = `The agent of this node is of an older version, which cannot ${cannot}: update clawnode there.`;
    // A gang would be given the same node again and again for a failure that is not its own.
    const reason = isMember ? 'launch-failed' : 'executor-unavailable';
    this.#deps.fleet.reports.report(this.nodeId, [
      {
        ...{ attemptId, epoch, revision: 1, state: 'killed', reason, message },
        ...{ acceptedAtMs: nowMs, finishedAtMs: nowMs, sandbox: 'none', limitations: [], logEnd: 0 },
      },
    ]);
    return true;
  }

  /**
   * Repeats orders, and asks for what is missing here: the rest of every log, and the list of what the node
   * holds.
   */
  begin(): void {
    this.#deps.fleet.reports.offerAgain(this.nodeId);
    for (const attempt of this.#deps.fleet.liveAttempts(this.nodeId)) {
      if (attempt.revision === 0) continue;
      const position = BigInt(this.#deps.logs.end(attempt.id));
      this.send({ case: 'logStart', value: { attemptId: attempt.id, position } });
    }
    this.askForAttempts();
  }

  /** Answers a heartbeat that has come, which is contact as soon as the node may count on it. */
  grantLease(heartbeatId: bigint): void {
    if (heartbeatId <= this.#answeredId) return;
    this.#answeredId = heartbeatId;
    this.#deps.fleet.registry.heard(this.nodeId);
    this.send({ case: 'leaseGrant', value: { leaseMs: this.#leaseMs, heartbeatId } });
  }

  askForAttempts(): void {
    this.send({ case: 'desiredState', value: { attemptsDigest: this.#digest(), listAttempts: true } });
  }

  /** Acts on one frame; a CodedError means that the node broke the protocol. */
  handle(body: NodeBody, frameId: bigint): void {
    // What a frame lists counts only as long as nothing newer was heard.
    const isNewest = frameId > this.#newestFrameId;
    if (isNewest) this.#newestFrameId = frameId;
    switch (body.case) {
      case 'statusReport':
        return this.#statusReport(body.value);
      case 'heartbeat':
        return this.#heartbeat(body.value, frameId, isNewest);
      case 'logChunk':
        return this.#logChunk(body.value);
      case 'inventoryReport':
        return this.#inventoryReport(body.value, frameId, isNewest);
      case 'commandResult':
        return this.#deps.onCommandResult(body.value);
      case 'error':
        return this.#deps.logger.warn('a node reported an error', {
          nodeId: this.nodeId,
          code: body.value.code,
        });
      case 'register':
        throw gatewayError('bad-frame', 'The node registered twice over one connection.');
      case undefined:
        // A newer node may send what this version does not know.
        return undefined;
    }
  }

  #statusReport({ statuses }: Frame<'statusReport'>): void {
    const reported = statuses.map(fromWireStatus);
    this.#deps.fleet.reports.report(this.nodeId, reported);
    if (this.#unwanted.size === 0) return;
    const ended = new Set(reported.filter(({ state }) => isTerminal(state)).map((one) => one.attemptId));
    this.#unwanted = this.#unwanted.difference(ended);
    if (this.#unwanted.size === 0) this.askForAttempts();
  }

  #heartbeat(heartbeat: Frame<'heartbeat'>, frameId: bigint, isNewest: boolean): void {
    const { registry } = this.#deps.fleet;
    this.grantLease(frameId);
    this.#deps.metrics.put(this.nodeId, heartbeat);
    this.#deps.fleet.gpuHealth.readings(this.nodeId, heartbeat.gpus);
    if (!isNewest) return;
    if (!this.#digest().equals(heartbeat.attemptsDigest)) return this.askForAttempts();
    registry.listed(this.nodeId, { reconciled: true });
    this.#deps.fleet.reports.stopAgain(this.nodeId);
  }

  #inventoryReport(
    { attempts: listed, inventory }: Frame<'inventoryReport'>,
    frameId: bigint,
    isNewest: boolean,
  ): void {
    const attempts = listed.map(fromWireStatus);
    if (inventory.length > 0 && frameId > this.#inventoryFrameId) {
      this.#inventoryFrameId = frameId;
      this.#deps.fleet.registry.changeInventory(this.nodeId, parseInventory(inventory));
    }
    // An attempt that it does not list may have been accepted since.
    if (!isNewest) return this.askForAttempts();
    const unwanted = this.#deps.fleet.reports.repair(this.nodeId, attempts);
    this.#unwanted = new Set(unwanted.map(({ attemptId }) => attemptId));
    this.#deps.fleet.registry.listed(this.nodeId, { reconciled: unwanted.length === 0 });
    for (const { attemptId, logEnd } of attempts) {
      const attempt = this.#deps.fleet.attempt(attemptId);
      const end = attempt?.nodeId === this.nodeId ? this.#deps.logs.end(attemptId) : logEnd;
      this.send({ case: 'logStart', value: { attemptId, position: BigInt(end) } });
    }
  }

  #logChunk({ attemptId, position, records }: Frame<'logChunk'>): void {
    if (position > MAX_POSITION) throw gatewayError('bad-frame', `No log is ${position} bytes long.`);
    const attempt = this.#deps.fleet.attempt(attemptId);
    const known = attempt?.nodeId === this.nodeId;
    // The log of an attempt that the fleet has forgotten is acknowledged unread, so that the node can forget
    // it too.
    const end = known ? this.#store(attemptId, Number(position), records) : Number(position) + records.length;
    if (end !== undefined) this.send({ case: 'logAck', value: { attemptId, position: BigInt(end) } });
  }

  #store(attemptId: string, position: number, records: Uint8Array): number | undefined {
    try {
      return this.#deps.logs.append(attemptId, position, records);
    } catch (error) {
      if (errorCode(error) === 'log-damaged') throw error;
      this.#deps.logger.error('a log could not be stored', { attemptId, error: errorMessage(error) });
      return undefined;
    }
  }

  #digest(): Buffer {
    const live = this.#deps.fleet.liveAttempts(this.nodeId);
    const text = attemptsDigestText(live.map(({ id, epoch }) => ({ attemptId: id, epoch })));
    return createHash('sha256').update(text).digest();
  }
}
