import {
  createJoinToken,
  gatewayIdOf,
  generateKeyPair,
  issueGrant,
  nodeIdOf,
  signGatewayProof,
  verifyNodeProof,
} from '@clawbernetes/identity';
import { canonicalJson, present, type Json } from '@clawbernetes/kernel';
import {
  decodeNodeFrame,
  encodeGatewayFrame,
  toWireEpoch,
  workloadSpecSchema,
  type NodeBody,
  type WorkloadSpecInput,
} from '@clawbernetes/protocol';
import { WebSocketServer, type WebSocket } from 'ws';
import { until } from '../../src/testing/until.ts';

type Body = Parameters<typeof encodeGatewayFrame>[1];
export type NodeMessage<Case extends NodeBody['case']> = Extract<NodeBody, { case: Case }>['value'];

export interface GatewayBehaviour {
  leaseMs?: number;
  heartbeatMs?: number;
  /** Answer heartbeats; default yes. */
  lease?: boolean;
  approve?: boolean;
  /** Confirm statuses and logs; default yes. */
  acknowledge?: boolean;
  forgeProof?: boolean;
  versions?: { min: number; max: number };
}

/**
 * A real WebSocket server that speaks the gateway's side of the node protocol as far as a test tells it to.
 */
export class TestGateway implements AsyncDisposable {
  readonly key = generateKeyPair();
  readonly behaviour: GatewayBehaviour;
  readonly connections: TestConnection[] = [];
  #server: WebSocketServer;
  #port: number;

  static async open(behaviour: GatewayBehaviour = {}): Promise<TestGateway> {
    const server = await listen(0);
    return new TestGateway(server, behaviour);
  }

  private constructor(server: WebSocketServer, behaviour: GatewayBehaviour) {
    this.#server = server;
    this.#port = portOf(server);
    this.behaviour = behaviour;
    this.#serve();
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/node`;
  }

  get id(): string {
    return gatewayIdOf(this.key.publicKey);
  }

  token(): string {
    return createJoinToken({ gatewayPublicKey: this.key.publicKey }).token;
  }

  /** The newest connection, once it is registered. */
  async registered(count = 1): Promise<TestConnection> {
    await until(
      `connection ${count} is registered`,
      () => this.connections[count - 1]?.phase === 'registered',
    );
    return present(this.connections[count - 1], 'the connection');
  }

  /** Goes away with all its connections, as a killed process does. */
  async stop(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async restart(): Promise<void> {
    this.#server = await listen(this.#port);
    this.#serve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #serve(): void {
    this.#server.on('connection', (socket) => this.connections.push(new TestConnection(this, socket)));
  }
}

/** One node's connection as the gateway sees it. */
export class TestConnection {
  phase: 'registering' | 'pending' | 'registered' | 'closed' = 'registering';
  readonly bodies: NodeBody[] = [];
  /** Bytes of each attempt's log, in order, with what was missing or came twice. */
  readonly logs = new Map<string, { end: number; bytes: Buffer[]; chunks: number; final: boolean }>();
  readonly socket: WebSocket;
  readonly #gateway: TestGateway;
  readonly #nonce = generateKeyPair().publicKey;
  #register: NodeMessage<'register'> | undefined;
  #nextId = 1;
  closeCode: number | undefined;

  constructor(gateway: TestGateway, socket: WebSocket) {
    this.#gateway = gateway;
    this.socket = socket;
    socket.on('message', (data: Buffer) => this.#receive(data));
    socket.on('close', (code) => {
      this.phase = 'closed';
      this.closeCode = code;
    });
    const { min, max } = gateway.behaviour.versions ?? { min: 1, max: 1 };
    this.send({
      case: 'challenge',
      value: {
        gatewayId: gateway.id,
        gatewayPublicKey: gateway.key.publicKey,
        nonce: this.#nonce,
        minVersion: min,
        maxVersion: max,
      },
    });
  }

  get register(): NodeMessage<'register'> {
    return present(this.#register, 'the registration');
  }

  send(body: Body): void {
    this.socket.send(encodeGatewayFrame(this.#nextId, body));
    this.#nextId += 1;
  }

  all<Case extends NodeBody['case']>(kind: Case): NodeMessage<Case>[] {
    return this.bodies.filter((body) => body.case === kind).map((body) => body.value as NodeMessage<Case>);
  }

  /** Every status received, in order. */
  statuses() {
    return this.all('statusReport').flatMap(({ statuses }) => statuses);
  }

  start(attemptId: string, spec: WorkloadSpecInput, epoch = { term: 1, counter: 1 }): void {
    const accepted = Buffer.from(canonicalJson(workloadSpecSchema.parse(spec) as unknown as Json));
    this.startRaw(attemptId, accepted, epoch);
  }

  startRaw(attemptId: string, spec: Uint8Array, epoch = { term: 1, counter: 1 }): void {
    this.send({
      case: 'startWorkload',
      value: {
        attemptId,
        workloadId: `w-${attemptId}`,
        namespace: 'default',
        epoch: toWireEpoch(epoch),
        spec,
        devices: [],
      },
    });
  }

  stop(attemptId: string, { graceful = true, counter = 1 } = {}): void {
    const epoch = toWireEpoch({ term: 1, counter });
    this.send({ case: 'stopWorkload', value: { attemptId, epoch, graceful, graceMs: 1000, reason: 'user' } });
  }

  acknowledge(attemptId: string, revision: number): void {
    this.send({ case: 'statusAck', value: { revisions: [{ attemptId, revision: BigInt(revision) }] } });
  }

  async command(name: string, params: Json): Promise<NodeMessage<'commandResult'>> {
    const requestId = `rq-${this.#nextId}`;
    this.send({
      case: 'command',
      value: { requestId, name, params: Buffer.from(canonicalJson(params)), deadlineMs: 5000 },
    });
    const find = () => this.all('commandResult').find((result) => result.requestId === requestId);
    await until(`${name} is answered`, () => find() !== undefined);
    return present(find(), 'the answer');
  }

  admit(): void {
    const { key, id, behaviour } = this.#gateway;
    const { publicKey, nodeNonce } = this.register;
    const nodeId = nodeIdOf(publicKey);
    const signer = behaviour.forgeProof ? generateKeyPair() : key;
    const facts = { gatewayId: id, gatewayNonce: this.#nonce, nodeNonce, nodeId, version: 1 };
    this.phase = 'registered';
    this.send({
      case: 'registered',
      value: {
        nodeId,
        version: 1,
        gatewaySignature: signGatewayProof(signer, facts),
        grant: issueGrant(key, { nodePublicKey: publicKey, issuedAtMs: 1 }),
        leaseMs: behaviour.leaseMs ?? 30_000,
        heartbeatIntervalMs: behaviour.heartbeatMs ?? 10_000,
      },
    });
  }

  #receive(data: Buffer): void {
    const { id, body } = decodeNodeFrame(data);
    this.bodies.push(body);
    const { behaviour } = this.#gateway;
    const acknowledge = behaviour.acknowledge !== false;
    if (body.case === 'register') this.#registered(body.value);
    if (body.case === 'heartbeat' && behaviour.lease !== false) {
      this.send({ case: 'leaseGrant', value: { leaseMs: behaviour.leaseMs ?? 30_000, heartbeatId: id } });
    }
    if (body.case === 'statusReport' && acknowledge) {
      for (const { attemptId, revision } of body.value.statuses)
        this.acknowledge(attemptId, Number(revision));
    }
    if (body.case === 'logChunk') this.#store(body.value, acknowledge);
  }

  #registered(register: NodeMessage<'register'>): void {
    this.#register = register;
    const facts = { gatewayId: this.#gateway.id, gatewayNonce: this.#nonce, nodeNonce: register.nodeNonce };
    if (!verifyNodeProof(register.publicKey, facts, register.signature)) {
      this.send({ case: 'error', value: { code: 'bad-proof', message: 'The proof is wrong.', fatal: true } });
    } else if (this.#gateway.behaviour.approve === false) {
      this.phase = 'pending';
      this.send({ case: 'pending', value: { nodeId: nodeIdOf(register.publicKey), message: 'wait' } });
    } else {
      this.admit();
    }
  }

  #store({ attemptId, position, records, final }: NodeMessage<'logChunk'>, acknowledge: boolean): void {
    const log = this.logs.get(attemptId) ?? { end: 0, bytes: [], chunks: 0, final: false };
    this.logs.set(attemptId, log);
    log.chunks += 1;
    log.final ||= final;
    log.bytes.push(Buffer.from(records));
    log.end = Number(position) + records.length;
    if (acknowledge) this.send({ case: 'logAck', value: { attemptId, position: BigInt(log.end) } });
  }
}

function listen(port: number): Promise<WebSocketServer> {
  return new Promise((resolve, reject) => {
    const server = new WebSocketServer({ host: '127.0.0.1', port });
    server.once('listening', () => resolve(server));
    server.once('error', reject);
  });
}

function portOf(server: WebSocketServer): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
