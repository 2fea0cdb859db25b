import type { NodeBody } from '@clawbernetes/protocol';

type Heartbeat = Extract<NodeBody, { case: 'heartbeat' }>['value'];

/** The newest metrics of each node; they live in memory only. */
export class NodeMetrics {
  readonly #latest = new Map<string, Heartbeat>();

  put(nodeId: string, heartbeat: Heartbeat): void {
    this.#latest.set(nodeId, heartbeat);
  }

  latest(nodeId: string): Heartbeat | undefined {
    return this.#latest.get(nodeId);
  }
}
