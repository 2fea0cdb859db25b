import type { Json } from '@clawbernetes/kernel';
import type { Cause } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { NodeRecord } from '../records.ts';
import { nodeRow } from '../rows.ts';

export interface NodeChange {
  /** Type of the event, such as `node.drained`. */
  readonly type: string;
  readonly cause: Cause;
  readonly message: string;
  readonly facts?: Readonly<Record<string, Json>>;
}

/** Stores a node's new state in the same batch as the events that say why. */
export function commitNode(core: FleetCore, node: NodeRecord, ...changes: readonly NodeChange[]): NodeRecord {
  core.nodes.put(node);
  core.writer.write(nodeRow(node));
  for (const change of changes) recordNode(core, node, change);
  core.capacityChanged(node.id);
  return node;
}

export function recordNode(core: FleetCore, node: NodeRecord, { facts, ...change }: NodeChange): void {
  core.writer.record({
    namespace: 'default',
    subject: node.id,
    ...change,
    facts: { name: node.name, ...facts },
  });
}
