import { CodedError, type Clock, type Random } from '@clawbernetes/kernel';
import { decodeNodeFrame, type FrameChannel } from '@clawbernetes/protocol';

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
  frameListener: (frame: Uint8Array) => void = () => undefined;
  closeListener: (code: number, reason: string) => void = () => undefined;
  readonly #link: VirtualLink;

  constructor(link: VirtualLink, remote: string) {
    this.#link = link;
    this.remote = remote;
  }

  send(frame: Uint8Array): void {
    this.#link.carry(this, frame);
  }

  close(code: number, reason: string): void {
    this.#link.end(code, reason);
  }

  onFrame(listener: (frame: Uint8Array) => void): void {
    this.frameListener = listener;
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.closeListener = listener;
  }
}

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
  #lossy = false;
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

  carry(from: VirtualEnd, frame: Uint8Array): void {
    if (this.#closed || this.#cut) return;
    const to = from === this.nodeEnd ? this.gatewayEnd : this.nodeEnd;
    // Logs are not hints: they rely on the order of a connection.
    const isLog = from === this.nodeEnd && decodeNodeFrame(frame).body.case === 'logChunk';
    const copies = this.#lossy && !isLog ? this.#network.copies() : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      this.#network.after(this.#arrivalAt(to), () => this.#deliver(from, to, frame));
    }
  }

  /** Both ends learn of it after what is under way to them has arrived. */
  end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.forget(this);
    for (const end of [this.nodeEnd, this.gatewayEnd])
      this.#network.after(this.#arrivalAt(end), () => end.closeListener(code, reason));
  }

  /** It breaks: what was under way is lost. */
  cut(): void {
    this.#cut = true;
    this.end(1006, 'cut');
  }

  /** Half-open: nothing arrives any more and nobody is told. */
  blackhole(): void {
    this.#cut = true;
  }

  /** Frames to the gateway take this much longer, and with them the news of the end of the link. */
  lag(ms: number): void {
    this.#lagMs = ms;
  }

  /** Frames get lost or arrive twice, as on no real connection; yet the protocol promises to bear it. */
  lose(lossy: boolean): void {
    this.#lossy = lossy;
  }

  /** A process died: the other end learns of it, the dead one does not. */
  die(dead: VirtualEnd): void {
    dead.frameListener = () => undefined;
    dead.closeListener = () => undefined;
    this.end(1006, 'the peer died');
  }

  #deliver(from: VirtualEnd, to: VirtualEnd, frame: Uint8Array): void {
    if (this.#cut) return;
    this.#network.observe(from === this.nodeEnd ? this.name : 'gateway', to.remote, frame);
    to.frameListener(frame);
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
  /** What takes a new connection; undefined while the gateway is down. */
  listener: ((channel: FrameChannel) => void) | undefined;

  constructor(
    deps: { readonly clock: Clock; readonly random: Random; readonly observe: FrameObserver },
    options: NetworkOptions,
  ) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.observe = deps.observe;
    this.#options = options;
  }

  async connect(name: string): Promise<VirtualLink> {
    await Promise.resolve();
    if (!this.listener) {
      throw new CodedError('connection refused', { code: 'ECONNREFUSED' });
    }
    const link = new VirtualLink(this, name);
    this.links.add(link);
    this.listener(link.gatewayEnd);
    return link;
  }

  forget(link: VirtualLink): void {
    this.links.delete(link);
  }

  arrivalMs(): number {
    const { minDelayMs, maxDelayMs } = this.#options;
    return this.#clock.monotonicMs() + minDelayMs + (maxDelayMs - minDelayMs) * this.#random.fraction();
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
