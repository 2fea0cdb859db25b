import { CodedError, type Clock, type Random } from '@clawbernetes/kernel';
import type { FrameChannel } from '@clawbernetes/protocol';

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

/** A connection between a node and the gateway. */
export class VirtualLink {
  readonly nodeEnd: VirtualEnd;
  readonly gatewayEnd: VirtualEnd;
  readonly name: string;
  readonly #network: VirtualNetwork;
  readonly #arrivals = new Map<VirtualEnd, number>();
  #open = true;
  #blackhole = false;

  constructor(network: VirtualNetwork, name: string) {
    this.#network = network;
    this.name = name;
    this.nodeEnd = new VirtualEnd(this, 'gateway');
    this.gatewayEnd = new VirtualEnd(this, name);
  }

  carry(from: VirtualEnd, frame: Uint8Array): void {
    if (!this.#open || this.#blackhole) return;
    const to = from === this.nodeEnd ? this.gatewayEnd : this.nodeEnd;
    const at = Math.max(this.#network.arrivalMs(), this.#arrivals.get(to) ?? 0);
    this.#arrivals.set(to, at);
    this.#network.after(at, () => {
      if (!this.#open || this.#blackhole) return;
      this.#network.observe(from === this.nodeEnd ? this.name : 'gateway', to.remote, frame);
      to.frameListener(frame);
    });
  }

  /** Both ends learn of it, one a little later than the other. */
  end(code: number, reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#network.forget(this);
    for (const end of [this.nodeEnd, this.gatewayEnd]) {
      this.#network.after(this.#network.arrivalMs(), () => end.closeListener(code, reason));
    }
  }

  /** Half-open: nothing arrives any more and nobody is told. */
  blackhole(): void {
    this.#blackhole = true;
  }

  /** A process died: the other end learns of it, the dead one does not. */
  die(dead: VirtualEnd): void {
    dead.frameListener = () => undefined;
    dead.closeListener = () => undefined;
    this.end(1006, 'the peer died');
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

  after(atMs: number, callback: () => void): void {
    this.#clock.after(atMs - this.#clock.monotonicMs(), callback);
  }
}
