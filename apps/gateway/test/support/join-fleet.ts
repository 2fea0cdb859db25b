import type { KeyPair } from '@clawbernetes/identity';
import type { ApiClient } from './api-client.ts';
import { FakeNode, type Offer, type RegisterOptions } from './fake-node.ts';
import { nodeInventory } from './node-inventory.ts';

interface Fleet {
  readonly api: ApiClient;
  readonly nodeUrl: string;
}

/** A node that is in the fleet, by a token of its own. */
export async function joinFleet(
  { api, nodeUrl }: Fleet,
  name = 'node-a',
  { gpus = 0, key, ...options }: Partial<RegisterOptions> & { gpus?: number; key?: KeyPair } = {},
): Promise<{ node: FakeNode; nodeId: string; grant: Uint8Array }> {
  const { token: joinToken } = await api.call('node.token', {});
  const node = await FakeNode.connect(nodeUrl, key);
  const inventory = nodeInventory(name, gpus);
  const { nodeId, grant } = await node.join({ name, joinToken, inventory, ...options });
  return { node, nodeId, grant };
}

/** A workload that was offered to `node`. */
export async function offered(
  api: ApiClient,
  node: FakeNode,
  spec: { readonly name?: string; readonly resources?: { readonly gpus?: number } } = {},
): Promise<{ workload: string; offer: Offer }> {
  const { id } = await api.call('workload.run', { spec: { command: ['work'], ...spec } });
  return { workload: id, offer: await node.offer(id) };
}
