import { errorCode, errorMessage, type Clock, type Logger, type Timer } from '@clawbernetes/kernel';
import type { Fleet, NodeRecord } from '@clawbernetes/fleet';
import { decodeNodeFrame, heartbeatId, type FrameChannel, type NodeBody } from '@clawbernetes/protocol';
import type { GatewayOptions } from '../gateway-options.ts';
import { HandshakeRefusal } from './handshake-refusal.ts';
import { configBytes, type NodeHandshake } from './node-handshake.ts';
import { FrameSender, NodeSession, type NodeSessionDeps } from './node-session.ts';

type Register = Extract<NodeBody, { case: 'register' }>['value'];
type Options = Pick<
  GatewayOptions,
  'fleet' | 'heartbeatIntervalMs' | 'handshakeMs' | 'maxBacklogBytes' | 'maxFrameBytes'
>;

export interface NodeConnectionDeps extends NodeSessionDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fleet: Fleet;
  readonly writerTerm: number;
  /** It says who it is; what follows refuses it, or admits it. */
  readonly onRegister: (connection: NodeConnection) => void;
  /** The node is approved and this is its connection now. */
  readonly onSession: (connection: NodeConnection, session: NodeSession) => void;
  /** The node is known and waits for a person. */
  readonly onPending: (connection: NodeConnection, nodeId: string) => void;
  readonly onClosed: (connection: NodeConnection) => void;
}

/** One connection of a node, from challenge to close. */
export class NodeConnection {
  readonly #deps: NodeConnectionDeps;
  readonly #channel: FrameChannel;
  readonly #handshake: NodeHandshake;
  readonly #options: Options;
  readonly #sender: FrameSender;
  readonly #deadline: Timer;
  #register: Register | undefined;
  #session: NodeSession | undefined;
  /** Nothing that still arrives counts: it may be older than what another connection has said since. */
  #closing = false;
  #closed = false;

  constructor(deps: NodeConnectionDeps, channel: FrameChannel, handshake: NodeHandshake, options: Options) {
    this.#deps = deps;
    this.#channel = channel;
    this.#handshake = handshake;
    this.#options = options;
    this.#sender = new FrameSender(channel, options.maxBacklogBytes, () => this.close(1013, 'too slow'));
    this.#deadline = deps.clock.after(options.handshakeMs, () => this.#atDeadline());
    channel.onFrame((frame) => this.#onFrame(frame));
    channel.onWaiting?.((frame) => this.#onWaiting(frame));
    channel.onClose(() => this.#onClose());
    this.#sender.send({ case: 'challenge', value: handshake.challenge() });
  }

  get session(): NodeSession | undefined {
    return this.#session;
  }

  /**
   * When its newest frame came, handled or not (see `FrameChannel`); undefined once nothing of it counts any
   * more.
   */
  get arrivedMs(): number | undefined {
    return this.#closing ? undefined : this.#channel.arrivedMs;
  }

  close(code: number, reason: string): void {
    this.#closing = true;
    this.#channel.close(code, reason);
  }

  /** A person has approved the node. */
  approve(node: NodeRecord): void {
    if (this.#register && !this.#session && !this.#closing) this.#admit(this.#register, node);
  }

  /** Its registration may have come, and wait for its turn. */
  #atDeadline(): void {
    const end = (): void => {
      if (!this.#register && !this.#closing) this.close(4408, 'no registration in time');
    };
    if (this.#channel.inTurn) this.#channel.inTurn(end);
    else end();
  }

  /**
   * However far this gateway is behind, a node is not left without an answer until its lease ends: it would
   * come back over a new connection, and make more work of that.
   */
  #onWaiting(bytes: Uint8Array): void {
    const id = this.#closing || !this.#session ? undefined : heartbeatId(bytes);
    if (id === undefined) return;
    try {
      this.#session?.grantLease(id);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #onFrame(bytes: Uint8Array): void {
    if (this.#closing) return;
    try {
      if (bytes.length > this.#options.maxFrameBytes)
        throw tooLarge(bytes.length, this.#options.maxFrameBytes);
      const { id, body } = decodeNodeFrame(bytes);
      if (this.#session) this.#session.handle(body, id);
      else if (body.case === 'register' && !this.#register)
        void this.#onRegister(body.value).catch((error: unknown) => this.#refuse(error));
    } catch (error) {
      this.#refuse(error);
    }
  }

  async #onRegister(register: Register): Promise<void> {
    this.#register = register;
    const { fleet } = this.#deps;
    this.#deps.onRegister(this);
    this.#handshake.version(register);
    const node = fleet.registry.register(this.#handshake.admit(register, fleet));
    await fleet.durable();
    if (this.#closing) return;
    this.#deadline.cancel();
    if (node.approved) return this.#admit(register, node);
    const message = `Waiting for approval. Compare fingerprint ${node.fingerprint}, then: clawbernetes node approve ${node.name}`;
    this.#sender.send({ case: 'pending', value: { nodeId: node.id, message } });
    this.#deps.onPending(this, node.id);
  }

  #admit(register: Register, node: NodeRecord): void {
    const version = this.#handshake.version(register);
    const { leaseMs } = this.#options.fleet;
    this.#sender.send({
      case: 'registered',
      value: {
        nodeId: node.id,
        version,
        gatewaySignature: this.#handshake.proof(register, node.id, version),
        grant: this.#handshake.grant(register, this.#deps.clock.nowMs()),
        leaseMs,
        heartbeatIntervalMs: this.#options.heartbeatIntervalMs,
        writerTerm: BigInt(this.#deps.writerTerm),
        config: configBytes({}),
      },
    });
    this.#session = new NodeSession(this.#deps, node.id, this.#sender, { leaseMs, version });
    this.#deps.onSession(this, this.#session);
    this.#deps.fleet.registry.connected(node.id);
    this.#session.begin();
  }

  #refuse(error: unknown): void {
    const code = errorCode(error) ?? 'internal';
    const fatal = error instanceof HandshakeRefusal ? error.fatal : code === 'name-taken';
    this.#deps.logger.warn('a node connection was refused', {
      remote: this.#channel.remote,
      code,
      error: errorMessage(error),
      ...(this.#session ? { nodeId: this.#session.nodeId } : {}),
    });
    this.#sender.send({ case: 'error', value: { code, message: errorMessage(error), fatal } });
    this.close(4400, code);
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closing = true;
    this.#closed = true;
    this.#deadline.cancel();
    this.#deps.onClosed(this);
  }
}

function tooLarge(bytes: number, limit: number): HandshakeRefusal {
  return new HandshakeRefusal('frame-too-large', `A frame of ${bytes} bytes is over the limit of ${limit}.`, {
    fatal: false,
  });
}
