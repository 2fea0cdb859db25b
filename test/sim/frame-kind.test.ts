// Shows that heartbeats and their answers are told from all other frames, whatever their numbers.
import { encodeGatewayFrame, encodeNodeFrame } from '@clawbernetes/protocol';
import { expect, test } from 'vitest';
import { isSignOfLife } from './frame-kind.ts';

const IDS = [0, 1, 127, 128, 16_384, 2 ** 40];

test('only heartbeats of nodes and leases of gateways are signs of life', () => {
  for (const id of IDS) {
    const ofNode = (body: Parameters<typeof encodeNodeFrame>[1]): boolean =>
      isSignOfLife(encodeNodeFrame(id, body), { fromGateway: false });
    expect(ofNode({ case: 'heartbeat', value: {} })).toBe(true);
    for (const kind of ['register', 'statusReport', 'logChunk', 'inventoryReport', 'commandResult'] as const)
      expect(ofNode({ case: kind, value: {} })).toBe(false);
    const ofGateway = (body: Parameters<typeof encodeGatewayFrame>[1]): boolean =>
      isSignOfLife(encodeGatewayFrame(id, body), { fromGateway: true });
    expect(ofGateway({ case: 'leaseGrant', value: {} })).toBe(true);
    for (const kind of ['registered', 'startWorkload', 'stopWorkload', 'statusAck', 'logStart'] as const)
      expect(ofGateway({ case: kind, value: {} })).toBe(false);
    expect(ofGateway(undefined)).toBe(false);
  }
});
