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
  readonly #onGranted: (contactMs: number) => void;
  readonly #sent = new Map<number, { readonly atMs: number; readonly contactMs: number }>();
  #expiresAtMs = -Infinity;
  #timer: Timer | undefined;

  /** @param onGranted told of each renewal what `sent` was given. */
  constructor(
    { clock }: { readonly clock: Clock },
    onExpired: () => void,
    onGranted: (contactMs: number) => void = () => undefined,
  ) {
    this.#clock = clock;
    this.#onExpired = onExpired;
    this.#onGranted = onGranted;
  }

  /** Monotonic ms until which the gateway holds this node for connected. */
  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  /** The gateway has registered this node; its answer to the first heartbeat is due within a lease. */
  begin(leaseMs: number): void {
    this.#watch(leaseMs);
  }

  /**
   * A frame that renews the lease, once the gateway answers it, leaves now. @param contactMs by
   * `Contact.now`, from before it left.
   */
  sent(frameId: number, contactMs = 0): void {
    this.#sent.set(frameId, { atMs: this.#clock.monotonicMs(), contactMs });
    for (const oldest of this.#sent.keys()) {
      if (this.#sent.size <= MAX_IN_FLIGHT) break;
      this.#sent.delete(oldest);
    }
  }

  /**
   * The gateway answered `frameId`. Unknown, repeated and late answers change nothing or never shorten the
   * lease.
   */
  granted(frameId: number, leaseMs: number): void {
    const sent = this.#sent.get(frameId);
    if (sent === undefined) return;
    for (const id of this.#sent.keys()) if (id <= frameId) this.#sent.delete(id);
    this.#onGranted(sent.contactMs);
    if (sent.atMs + leaseMs <= this.#expiresAtMs) return;
    this.#expiresAtMs = sent.atMs + leaseMs;
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
