import { nodeIdOf, type KeyPair } from '@clawbernetes/identity';
import { errorMessage, type Random, type Timer } from '@clawbernetes/kernel';
import {
  DEFAULT_MAX_FRAME_BYTES,
  decodeGatewayFrame,
  encodeNodeFrame,
  type FrameChannel,
  type GatewayBody,
} from '@clawbernetes/protocol';
import { isNodeError, nodeError, type NodeError, type NodeErrorCode } from '../errors.ts';
import type { Membership, MembershipStore } from '../host.ts';
import {
  acceptRegistered,
  answerChallenge,
  introduce,
  type GatewayMessage,
  type Handshake,
} from './handshake.ts';
import { Session, type NodeMessage, type SessionDeps } from './session.ts';

/** From the opened connection to the gateway's word that this node is registered, or waits for approval. */
const HANDSHAKE_DEADLINE_MS = 15_000;
const CLOSE_NORMAL = 1000;
const CLOSE_PROTOCOL_ERROR = 1002;
const CLOSE_TOO_BIG = 1009;
/** Of the private range: the reason is in the words. */
const CLOSE_GIVEN_UP = 4000;

/** What a gateway's refusals mean to the operator of this node; any other fatal one is `gateway-refused`. */
const REFUSALS: Readonly<Record<string, NodeErrorCode>> = {
  'bad-join-token': 'not-admitted',
  'bad-proof': 'not-admitted',
  unauthenticated: 'not-admitted',
  forbidden: 'not-admitted',
  'name-taken': 'name-taken',
  'protocol-version': 'unsupported-version',
};

export interface ConnectionDeps extends SessionDeps {
  readonly random: Random;
  readonly key: KeyPair;
  readonly memberships: MembershipStore;
}

export interface Registration {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string;
  readonly commands: readonly string[];
  readonly joinToken: string | undefined;
}

export interface ConnectionEnd {
  readonly reason: string;
  /** Set when connecting again cannot help. */
  readonly fatal?: NodeError;
  /** How long it was registered; 0 if it never was. */
  readonly registeredMs: number;
}

export type ConnectionPhase = 'greeting' | 'registering' | 'pending' | 'registered' | 'ended';

/** One connection to the gateway, from the challenge to its end. */
export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #registration: Registration;
  readonly #channel: FrameChannel;
  readonly #end = Promise.withResolvers<ConnectionEnd>();
  readonly #deadline: Timer;
  #membership: Membership | undefined;
  #phase: ConnectionPhase = 'greeting';
  #handshake: Handshake | undefined;
  #session: Session | undefined;
  #registeredAtMs: number | undefined;
  /** By `Contact.now`. */
  #introducedMs = 0;
  #frameId = 0;

  constructor(
    deps: ConnectionDeps,
    registration: Registration,
    channel: FrameChannel,
    membership: Membership | undefined,
  ) {
    this.#deps = deps;
    this.#registration = registration;
    this.#channel = channel;
    this.#membership = membership;
    this.#deadline = deps.clock.after(HANDSHAKE_DEADLINE_MS, () =>
      this.#fail(CLOSE_GIVEN_UP, 'the gateway did not finish the handshake'),
    );
    channel.onClose((code, reason) => this.#finish({ reason: reason || `closed with code ${code}` }));
    channel.onFrame((frame) => this.#receive(frame));
  }

  /** Never rejects. */
  get ended(): Promise<ConnectionEnd> {
    return this.#end.promise;
  }

  get phase(): ConnectionPhase {
    return this.#phase;
  }

  get membership(): Membership | undefined {
    return this.#membership;
  }

  /** Present while the node is registered. */
  get session(): Session | undefined {
    return this.#session;
  }

  close(): void {
    this.#fail(CLOSE_NORMAL, 'the node stops');
  }

  #receive(frame: Uint8Array): void {
    if (this.#phase === 'ended') return;
    if (frame.length > DEFAULT_MAX_FRAME_BYTES) {
      return this.#fail(CLOSE_TOO_BIG, `the gateway sent a frame of ${frame.length} bytes`);
    }
    try {
      this.#handle(decodeGatewayFrame(frame).body);
    } catch (error) {
      if (isNodeError(error)) this.#giveUp(error);
      else this.#fail(CLOSE_PROTOCOL_ERROR, errorMessage(error));
    }
  }

  #handle(body: GatewayBody): void {
    if (body.case === 'error') return this.#refused(body.value);
    if (body.case === 'challenge' && this.#phase === 'greeting') return this.#answer(body.value);
    if (body.case === 'pending' && this.#awaitsRegistration()) return this.#wait(body.value);
    if (body.case === 'registered' && this.#awaitsRegistration()) return this.#registered(body.value);
    if (this.#session && body.case !== 'challenge') return this.#session.handle(body);
    this.#fail(CLOSE_PROTOCOL_ERROR, `the gateway sent ${body.case ?? 'an unknown frame'} out of turn`);
  }

  #awaitsRegistration(): boolean {
    return this.#phase === 'registering' || this.#phase === 'pending';
  }

  #answer(challenge: GatewayMessage<'challenge'>): void {
    const { key, book, inventory } = this.#deps;
    const { joinToken, name, labels, agentVersion, commands } = this.#registration;
    const known = { membership: this.#membership, joinToken };
    this.#handshake = answerChallenge(challenge, this.#deps, known);
    this.#phase = 'registering';
    this.#introducedMs = this.#deps.contact.now();
    this.#send({
      case: 'register',
      value: {
        ...introduce(key, this.#handshake, known),
        name,
        agentVersion,
        labels: { ...labels },
        inventory: inventory.encode(),
        commands: [...commands],
        attemptsDigest: book.digest(),
      },
    });
  }

  #wait({ message }: GatewayMessage<'pending'>): void {
    this.#deadline.cancel();
    if (this.#phase !== 'pending') {
      this.#deps.logger.info('Waiting for approval: an operator runs "clawbernetes node approve"', {
        node: this.#registration.name,
        nodeId: nodeIdOf(this.#deps.key.publicKey),
      });
      this.#deps.logger.debug('The gateway explains', { message });
    }
    this.#phase = 'pending';
  }

  #registered(registered: GatewayMessage<'registered'>): void {
    const { key, clock, logger } = this.#deps;
    if (!this.#handshake) return;
    const before = this.#membership;
    this.#membership = acceptRegistered(registered, key, this.#handshake, before);
    this.#deadline.cancel();
    this.#phase = 'registered';
    this.#registeredAtMs = clock.monotonicMs();
    this.#deps.contact.answered(this.#introducedMs);
    if (before === undefined || before.grant !== this.#membership.grant) this.#remember(before);
    logger.info('Registered with the gateway', { gateway: this.#membership.gatewayId });
    this.#session = new Session(this.#deps, this.#link(), registered);
    this.#session.begin();
  }

  #remember(before: Membership | undefined): void {
    const { memberships, logger } = this.#deps;
    if (!this.#membership) return;
    memberships.save(this.#membership).catch((error: unknown) => {
      const message = 'The membership could not be saved; it is tried again with the next connection';
      logger.error(message, { error: errorMessage(error) });
      this.#membership = before;
    });
  }

  #refused({ code, message, fatal }: GatewayMessage<'error'>): void {
    if (!fatal) return this.#fail(CLOSE_NORMAL, `the gateway answered ${code}: ${message}`);
    const reason = Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined;
    this.#giveUp(
      nodeError(reason ?? 'gateway-refused', message || `The gateway refused this node: ${code}.`),
    );
  }

  #link() {
    const channel = this.#channel;
    return {
      get backlogBytes() {
        return channel.backlogBytes;
      },
      send: (body: NodeMessage) => this.#send(body),
      fail: (reason: string) => this.#fail(CLOSE_GIVEN_UP, reason),
    };
  }

  #send(body: NodeMessage): number {
    this.#frameId += 1;
    if (this.#phase === 'ended') return this.#frameId;
    const frame = encodeNodeFrame(this.#frameId, body);
    if (frame.length > DEFAULT_MAX_FRAME_BYTES) {
      this.#deps.logger.error('A frame was too large to send', { kind: body.case, bytes: frame.length });
    } else {
      this.#channel.send(frame);
    }
    return this.#frameId;
  }

  #giveUp(fatal: NodeError): void {
    this.#channel.close(CLOSE_NORMAL, fatal.code);
    this.#finish({ reason: fatal.message, fatal });
  }

  #fail(code: number, reason: string): void {
    this.#channel.close(code, reason.slice(0, 100));
    this.#finish({ reason });
  }

  #finish(end: { readonly reason: string; readonly fatal?: NodeError }): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#deadline.cancel();
    this.#session?.[Symbol.dispose]();
    this.#session = undefined;
    const { clock } = this.#deps;
    const registeredMs = this.#registeredAtMs === undefined ? 0 : clock.monotonicMs() - this.#registeredAtMs;
    this.#end.resolve({ ...end, registeredMs });
  }
}
