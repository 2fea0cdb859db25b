import type { Fleet, NodeOrder } from '@clawbernetes/fleet';
import { assert } from '@clawbernetes/kernel';

/** A heartbeat rides on the metrics that an agent sends so often, ms. */
const HEARTBEAT_MS = 10_000;
const TICK_MS = 100;

/**
 * The agents of a fleet in its own process: each sends heartbeats and keeps what it is told to start, but
 * runs nothing. What real sockets and reports cost besides is measured by `launch`.
 */
export class SimulatedAgents {
  readonly #held = new Map<string, Set<string>>();
  #started = 0;

  /** Orders to start that were taken. */
  get started(): number {
    return this.#started;
  }

  readonly take = (nodeId: string, order: NodeOrder): void => {
    if (order.kind !== 'start') return;
    const held = this.#held.get(nodeId);
    assert(held !== undefined, 'orders go to agents that are connected');
    assert(!held.has(order.attempt.id), 'an agent is told to start an attempt once');
    held.add(order.attempt.id);
    this.#started += 1;
  };

  connect(nodeId: string): void {
    this.#held.set(nodeId, new Set());
  }

  /** Each in its turn, evenly over the time. */
  beat({ registry }: Pick<Fleet, 'registry'>): void {
    const ids = [...this.#held.keys()];
    const each = Math.ceil((ids.length * TICK_MS) / HEARTBEAT_MS);
    let next = 0;
    setInterval(() => {
      for (let count = 0; count < each; count += 1) {
        const id = ids[next % ids.length];
        if (id !== undefined) registry.heard(id);
        next += 1;
      }
    }, TICK_MS);
  }
}
