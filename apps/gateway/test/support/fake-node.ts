import {
  generateKeyPair,
  NONCE_BYTES,
  signNodeProof,
  verifyGatewayProof,
  type KeyPair,
} from '@clawbernetes/identity';
import { assert, systemRandom } from '@clawbernetes/kernel';
import {
  attemptsDigestText,
  decodeGatewayFrame,
  encodeNodeFrame,
  fromWireEpoch,
  toWireStatus,
  type AttemptStatus,
  type Epoch,
  type GatewayBody,
  type NodeInventory,
} from '@clawbernetes/protocol';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { nodeInventory } from './node-inventory.ts';
import { waitUntil } from './wait-until.ts';

type Body = Parameters<typeof encodeNodeFrame>[1];
type Case = NonNullable<GatewayBody['case']>;
type Frame<C extends Case> = Extract<GatewayBody, { case: C }>['value'];

export interface RegisterOptions {
  readonly name: string;
  readonly joinToken: string;
  readonly grant: Uint8Array;
  readonly versions: { readonly min: number; readonly max: number };
  readonly inventory: NodeInventory;
  /** A proof other than the right one. */
  readonly signature: Uint8Array;
  readonly commands: readonly string[];
}

/** What a start order names. */
export interface Offer {
  readonly attemptId: string;
  readonly epoch: Epoch;
}

/** A node that says exactly what a test tells it to, over a real WebSocket. */
export class FakeNode {
  readonly key: KeyPair;
  readonly nonce = systemRandom.bytes(NONCE_BYTES);
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly socket: WebSocket;
  /** All that came and was not asked for yet. */
  readonly inbox: GatewayBody[] = [];
  #frameId = 0;
  #challenge: Frame<'challenge'> | undefined;

  private constructor(socket: WebSocket, key: KeyPair) {
    this.socket = socket;
    this.key = key;
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => this.inbox.push(decodeGatewayFrame(data).body));
    this.closed = once(socket, 'close').then(([code, reason]) => ({
      code: code as number,
      reason: String(reason),
    }));
  }

  /** Connects and waits for the challenge. Ends with the test. */
  static async connect(url: string, key: KeyPair = generateKeyPair()): Promise<FakeNode> {
    const node = new FakeNode(new WebSocket(url), key);
    onTestFinished(() => node.socket.terminate());
    node.#challenge = await node.next('challenge');
    return node;
  }

  get challenge(): Frame<'challenge'> {
    assert(this.#challenge !== undefined, 'a connected node was challenged');
    return this.#challenge;
  }

  /** The proof that fits this connection. */
  proof(): Uint8Array {
    const { gatewayId, nonce } = this.challenge;
    return signNodeProof(this.key, { gatewayId, gatewayNonce: nonce, nodeNonce: this.nonce });
  }

  register(options: Partial<RegisterOptions>): void {
    const { name = 'node-a', joinToken = '', grant, versions = { min: 1, max: 1 } } = options;
    this.send({
      case: 'register',
      value: {
        minVersion: versions.min,
        maxVersion: versions.max,
        publicKey: this.key.publicKey,
        nodeNonce: this.nonce,
        signature: options.signature ?? this.proof(),
        joinToken,
        ...(grant ? { grant } : {}),
        name,
        agentVersion: '0.1.0',
        inventory: Buffer.from(JSON.stringify(options.inventory ?? nodeInventory(name))),
        commands: [...(options.commands ?? [])],
      },
    });
  }

  /**
   * Registers and waits until it is let in; checks the gateway's own proof. Its first heartbeat says that it
   * runs nothing.
   */
  async join(options: Partial<RegisterOptions>): Promise<Frame<'registered'>> {
    this.register(options);
    const registered = await this.next('registered');
    const { gatewayId, nonce, gatewayPublicKey } = this.challenge;
    const { nodeId, version } = registered;
    const facts = { gatewayId, gatewayNonce: nonce, nodeNonce: this.nonce, nodeId, version };
    assert(
      verifyGatewayProof(gatewayPublicKey, facts, registered.gatewaySignature),
      'the gateway proves its key',
    );
    this.heartbeat();
    return registered;
  }

  send(body: Body): void {
    this.#frameId += 1;
    this.socket.send(encodeNodeFrame(this.#frameId, body));
  }

  report(...statuses: readonly AttemptStatus[]): void {
    this.send({ case: 'statusReport', value: { statuses: statuses.map((one) => toWireStatus(one)) } });
  }

  list(...statuses: readonly AttemptStatus[]): void {
    this.send({
      case: 'inventoryReport',
      value: { attempts: statuses.map((one) => toWireStatus(one)) },
    });
  }

  /** Its hardware is not what it was. */
  listWithInventory(inventory: NodeInventory): void {
    this.send({
      case: 'inventoryReport',
      value: { attempts: [], inventory: Buffer.from(JSON.stringify(inventory)) },
    });
  }

  heartbeat(...held: readonly Offer[]): void {
    const attemptsDigest = createHash('sha256').update(attemptsDigestText(held)).digest();
    this.send({ case: 'heartbeat', value: { timestampMs: 0n, attemptsDigest } });
  }

  logChunk(attemptId: string, position: number | bigint, records: Uint8Array): void {
    this.send({ case: 'logChunk', value: { attemptId, position: BigInt(position), records } });
  }

  /** The next frame of a kind, however many others came before it; takes it out of the inbox. */
  async next<C extends Case>(kind: C, fits: (value: Frame<C>) => boolean = () => true): Promise<Frame<C>> {
    // The kind decides the type of the value, which the compiler cannot see through a generic.
    const find = (): number =>
      this.inbox.findIndex((body) => body.case === kind && fits(body.value as Frame<C>));
    await waitUntil(`a frame "${kind}"`, () => find() >= 0);
    return this.inbox.splice(find(), 1)[0]?.value as Frame<C>;
  }

  /** The next order to start something. */
  async offer(workloadId?: string): Promise<Offer> {
    const start = await this.next(
      'startWorkload',
      (value) => (workloadId ?? value.workloadId) === value.workloadId,
    );
    return { attemptId: start.attemptId, epoch: fromWireEpoch(start.epoch) };
  }

  /** Waits until the gateway has acted on all that was sent so far: frames are answered in order. */
  async settle(): Promise<void> {
    const id = BigInt(this.#frameId + 1);
    this.heartbeat();
    await this.next('leaseGrant', ({ heartbeatId }) => heartbeatId === id);
  }
}

/** What a node reports of an attempt. */
export function status({ attemptId, epoch }: Offer, facts: Partial<AttemptStatus>): AttemptStatus {
  return {
    attemptId,
    epoch,
    revision: 1,
    state: 'accepted',
    acceptedAtMs: 1,
    sandbox: 'none',
    limitations: [],
    logEnd: 0,
    ...facts,
  };
}
