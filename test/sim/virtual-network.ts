import { CodedError, type Clock, type Random } from '@clawbernetes/kernel';
import { decodeGatewayFrame, decodeNodeFrame, type FrameChannel } from '@clawbernetes/protocol';

export interface NetworkOptions {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

/** Called with every frame that arrives: the trace of a run. */
export type FrameObserver = (from: string, to: string, frame: Uint8Array) => void;

/** One end of a virtual connection. Frames arrive in order and whole, or the connection dies. */
class VirtualEnd implements FrameChannel {
  readonly remote: string;
  readonly backlogBytes = 0;
  arrivedMs: number | undefined;
  frameListener: (frame: Uint8Array) => void = () => undefined;
  waitingListener: (frame: Uint8Array) => void = () => undefined;
  closeListener: (code: number, reason: string) => void = () => undefined;
  readonly #link: VirtualLink;
  /** By whom it belongs to. */
  #isClosed = false;

  constructor(link: VirtualLink, remote: string) {
    this.#link = link;
    this.remote = remote;
  }

  send(frame: Uint8Array): void {
    if (this.#isClosed) this.#link.spokeAfterClose(this);
    this.#link.carry(this, frame);
  }

  close(code: number, reason: string): void {
    this.#isClosed = true;
    this.#link.closing(this, reason);
    this.#link.end(code, reason);
  }

  onFrame(listener: (frame: Uint8Array) => void): void {
    this.frameListener = listener;
  }

  onWaiting(listener: (frame: Uint8Array) => void): void {
    this.waitingListener = listener;
  }

  inTurn(action: () => void): void {
    this.#link.inTurn(this, action);
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.closeListener = listener;
  }
}

/** Why an agent gives up a connection; what was wrong with it so long before may be the cause, ms. */
const UNANSWERED = 'the gateway stopped answering heartbeats';
const TROUBLE_MS = 60_000;

/** Of a lossy link: how many frames do not arrive, and how many arrive twice. */
const LOST = 0.1;
const REPEATED = 0.1;

/** A connection between a node and the gateway. */
export class VirtualLink {
  readonly nodeEnd: VirtualEnd;
  readonly gatewayEnd: VirtualEnd;
  readonly name: string;
  readonly #network: VirtualNetwork;
  /** When the newest frame to each end arrives. */
  readonly #arrivals = new Map<VirtualEnd, number>();
  #lagMs = 0;
  /** When something was wrong with it last; Infinity as long as something is that loses frames. */
  #troubledMs = -Infinity;
  #lossy = false;
  #registered = false;
  #disorderMs = 0;
  /** Half-open: nothing arrives here any more. */
  readonly #deaf = new Set<VirtualEnd>();
  /** Takes no more frames; those under way still arrive. */
  #closed = false;
  /** Nothing arrives any more. */
  #cut = false;

  constructor(network: VirtualNetwork, name: string) {
    this.#network = network;
    this.name = name;
    this.nodeEnd = new VirtualEnd(this, 'gateway');
    this.gatewayEnd = new VirtualEnd(this, name);
  }

  /** Whether the gateway has a session with the node over this link, and has not ended it. */
  get isSession(): boolean {
    return this.#registered && !this.#closed;
  }

  carry(from: VirtualEnd, frame: Uint8Array): void {
    // The gateway may begin one over a link that is gone, before it comes to know of that.
    if (from === this.gatewayEnd && !this.#registered) this.#lookForSession(frame);
    if (this.#closed || this.#cut) return;
    const to = from === this.nodeEnd ? this.gatewayEnd : this.nodeEnd;
    const isFaithful = !this.#lossy && this.#disorderMs === 0;
    // Logs are not hints: they rely on the order of a connection.
    const isLog = !isFaithful && from === this.nodeEnd && decodeNodeFrame(frame).body.case === 'logChunk';
    const copies = this.#lossy && !isLog ? this.#network.copies() : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const extraMs = isLog || this.#disorderMs === 0 ? 0 : this.#network.extraMs(this.#disorderMs);
      this.#network.after(this.#arrivalAt(to) + extraMs, () => this.#deliver(from, to, frame));
    }
  }

  /** A connection has one session at most. */
  #lookForSession(frame: Uint8Array): void {
    this.#registered = decodeGatewayFrame(frame).body.case === 'registered';
    if (this.#registered) this.#network.onRegistered(this.name);
  }

  /** Who has closed a connection must not act on what still arrives over it. */
  spokeAfterClose(end: VirtualEnd): void {
    if (end === this.gatewayEnd) this.#network.onSpokeAfterClose(this.name);
  }

  /** Whoever says that nobody answers must not have been heard. */
  closing(end: VirtualEnd, reason: string): void {
    const isLeft = end === this.nodeEnd && this.isSession && reason === UNANSWERED;
    if (isLeft && this.#network.nowMs - this.#troubledMs > TROUBLE_MS) this.#network.onUnanswered(this.name);
  }

  /** Both ends learn of it after what is under way to them has arrived. */
  end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.forget(this);
    for (const end of [this.nodeEnd, this.gatewayEnd])
      this.#network.after(this.#arrivalAt(end), () =>
        this.inTurn(end, () => end.closeListener(code, reason)),
      );
  }

  /** What has arrived at the gateway has its turn in one line. */
  inTurn(end: VirtualEnd, action: () => void): void {
    if (end === this.gatewayEnd) this.#network.inLine(action);
    else action();
  }

  /** It breaks: what was under way is lost. */
  cut(): void {
    this.#cut = true;
    this.end(1006, 'cut');
  }

  /** Half-open: nothing arrives any more, at both ends or at one, and nobody is told. */
  blackhole(at: 'both' | 'node' | 'gateway' = 'both'): void {
    this.#troubledMs = Infinity;
    if (at !== 'gateway') this.#deaf.add(this.nodeEnd);
    if (at !== 'node') this.#deaf.add(this.gatewayEnd);
  }

  /** Frames overtake each other by up to so much; yet the protocol promises to bear it. 0 = in order, ms. */
  disorder(ms: number): void {
    this.#troubledMs = this.#network.nowMs;
    this.#disorderMs = ms;
  }

  /** Frames to the gateway take this much longer, and with them the news of the end of the link. */
  lag(ms: number): void {
    this.#troubledMs = this.#network.nowMs;
    this.#lagMs = ms;
  }

  /** Frames get lost or arrive twice, as on no real connection; yet the protocol promises to bear it. */
  lose(lossy: boolean): void {
    this.#troubledMs = lossy ? Infinity : this.#network.nowMs;
    this.#lossy = lossy;
  }

  /** A process died: the other end learns of it, the dead one does not. */
  die(dead: VirtualEnd): void {
    dead.frameListener = () => undefined;
    dead.waitingListener = () => undefined;
    dead.closeListener = () => undefined;
    this.end(1006, 'the peer died');
  }

  #deliver(from: VirtualEnd, to: VirtualEnd, frame: Uint8Array): void {
    if (this.#cut || this.#deaf.has(to)) return;
    this.#network.observe(from === this.nodeEnd ? this.name : 'gateway', to.remote, frame);
    to.arrivedMs = this.#network.nowMs;
    let isHandled = false;
    this.inTurn(to, () => {
      isHandled = true;
      to.frameListener(frame);
    });
    if (!isHandled) to.waitingListener(frame);
  }

  /** In order: never before what was sent earlier. */
  #arrivalAt(to: VirtualEnd): number {
    const lagMs = to === this.gatewayEnd ? this.#lagMs : 0;
    const at = Math.max(this.#network.arrivalMs() + lagMs, this.#arrivals.get(to) ?? 0);
    this.#arrivals.set(to, at);
    return at;
  }
}

/** Connections of virtual processes, with delays and faults from a seed. */
export class VirtualNetwork {
  readonly links = new Set<VirtualLink>();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: NetworkOptions;
  readonly observe: FrameObserver;
  /** The gateway has begun a session with the node of this name. */
  readonly onRegistered: (name: string) => void;
  /** The gateway says something over a connection of this node that it has closed. */
  readonly onSpokeAfterClose: (name: string) => void;
  /** A node of this name gave up a connection over which all arrives. */
  readonly onUnanswered: (name: string) => void;
  /** Nodes that reach nobody: neither over an old connection nor by a new one. */
  readonly #severed = new Set<string>();
  /** Frames between nodes and the gateway take so much longer, ms. */
  slowMs = 0;
  /** What arrives at the gateway has its turn so much later, ms. */
  behindMs = 0;
  /** When the last of it has its turn. */
  #turnMs = 0;
  /** What takes a new connection; undefined while the gateway is down. */
  listener: ((channel: FrameChannel) => void) | undefined;

  constructor(
    deps: {
      readonly clock: Clock;
      readonly random: Random;
      readonly observe: FrameObserver;
      readonly onRegistered: (name: string) => void;
      readonly onSpokeAfterClose: (name: string) => void;
      readonly onUnanswered: (name: string) => void;
    },
    options: NetworkOptions,
  ) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.observe = deps.observe;
    this.onRegistered = deps.onRegistered;
    this.onSpokeAfterClose = deps.onSpokeAfterClose;
    this.onUnanswered = deps.onUnanswered;
    this.#options = options;
  }

  async connect(name: string): Promise<VirtualLink> {
    await Promise.resolve();
    if (!this.listener || this.#severed.has(name)) {
      throw new CodedError('connection refused', { code: 'ECONNREFUSED' });
    }
    const link = new VirtualLink(this, name);
    this.links.add(link);
    this.listener(link.gatewayEnd);
    return link;
  }

  /** A partition: their connections go silent without an end, and no new ones come about. */
  sever(names: readonly string[]): void {
    for (const name of names) this.#severed.add(name);
    for (const link of this.links) if (this.#severed.has(link.name)) link.blackhole();
  }

  /** Those connections are found dead in the end. */
  heal(names: readonly string[]): void {
    for (const name of names) this.#severed.delete(name);
    for (const link of [...this.links]) if (names.includes(link.name)) link.cut();
  }

  /** Whether nobody is severed. */
  get isWhole(): boolean {
    return this.#severed.size === 0;
  }

  forget(link: VirtualLink): void {
    this.links.delete(link);
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** The link over which the node of this name has its session. */
  session(name: string): VirtualLink | undefined {
    return [...this.links].findLast((link) => link.name === name && link.isSession);
  }

  /** At once, unless the gateway is behind with what came before. */
  inLine(action: () => void): void {
    const turnMs = Math.max(this.nowMs + this.behindMs, this.#turnMs);
    this.#turnMs = turnMs;
    if (turnMs <= this.nowMs) action();
    else this.after(turnMs, action);
  }

  arrivalMs(): number {
    const { minDelayMs, maxDelayMs } = this.#options;
    const delayMs = minDelayMs + (maxDelayMs + this.slowMs - minDelayMs) * this.#random.fraction();
    return this.#clock.monotonicMs() + delayMs;
  }

  extraMs(mostMs: number): number {
    return mostMs * this.#random.fraction();
  }

  /** How often a frame arrives over a lossy link. */
  copies(): number {
    const chance = this.#random.fraction();
    if (chance < LOST) return 0;
    return chance < LOST + REPEATED ? 2 : 1;
  }

  after(atMs: number, callback: () => void): void {
    this.#clock.after(atMs - this.#clock.monotonicMs(), callback);
  }
}
