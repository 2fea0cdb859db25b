import { nodeInventorySchema, type NodeInventory } from '@clawbernetes/protocol';
import { z } from 'zod';
import { HandshakeRefusal } from './handshake-refusal.ts';

/** What a node says that it has. @throws HandshakeRefusal if it is not an inventory. */
export function parseInventory(bytes: Uint8Array): NodeInventory {
  const inventory = nodeInventorySchema.safeParse(parseJson(bytes));
  if (inventory.success) return inventory.data;
  throw badInventory(z.prettifyError(inventory.error));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw badInventory('it is not JSON');
  }
}

function badInventory(what: string): HandshakeRefusal {
  return new HandshakeRefusal('bad-registration', `The node's inventory is not valid: ${what}`, {
    fatal: true,
  });
}
