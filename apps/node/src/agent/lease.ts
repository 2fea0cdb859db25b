import type { Clock, Timer } from '@clawbernetes/kernel';

/** Heartbeats whose answer is awaited; more than that many in flight means that none will come. */
const MAX_IN_FLIGHT = 64;

/**
 * The node's side of its lease, on the monotonic clock and counted from when the renewing heartbeat was
 * *sent*: the node never believes in it longer than the gateway does. Its end says that the connection is
 * dead, nothing more: workloads go on.
 */
export class Lease implements Disposable {
  readonly #clock: Clock;
  readonly #onExpired: () => void;
  readonly #sentAtMs = new Map<number, number>();
  #expiresAtMs = -Infinity;
  #timer: Timer | undefined;

  constructor({ clock }: { readonly clock: Clock }, onExpired: () => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** Monotonic ms until which the gateway holds this node for connected. */
  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  /** The gateway has registered this node; its answer to the first heartbeat is due within a lease. */
  begin(leaseMs: number): void {
    this.#watch(leaseMs);
  }

  /** A frame that renews the lease, once the gateway answers it, leaves now. */
  sent(frameId: number): void {
    this.#sentAtMs.set(frameId, this.#clock.monotonicMs());
    for (const oldest of this.#sentAtMs.keys()) {
      if (this.#sentAtMs.size <= MAX_IN_FLIGHT) break;
      this.#sentAtMs.delete(oldest);
    }
  }

  /**
   * The gateway answered `frameId`. Unknown, repeated and late answers change nothing or never shorten the
   * lease.
   */
  granted(frameId: number, leaseMs: number): void {
    const sentAtMs = this.#sentAtMs.get(frameId);
    if (sentAtMs === undefined) return;
    for (const id of this.#sentAtMs.keys()) if (id <= frameId) this.#sentAtMs.delete(id);
    if (sentAtMs + leaseMs <= this.#expiresAtMs) return;
    this.#expiresAtMs = sentAtMs + leaseMs;
    this.#watch(this.#expiresAtMs - this.#clock.monotonicMs());
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #watch(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, this.#onExpired);
  }
}
