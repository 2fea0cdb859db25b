import { seededRandom } from '@clawbernetes/kernel';
import { expect } from 'vitest';
import type { ApiClient } from './api-client.ts';
import { GatewayProcess, type ProcessOptions } from './gateway-process.ts';
import { waitUntil } from './wait-until.ts';

const CLIENTS = 8;
/** Decides when the kills come; part of the tests' names. */
export const SEED = Date.now() % 1_000_000;

/** Submits from several clients at once until the gateway is gone; records what was acknowledged. */
function submitForever(api: ApiClient, acknowledged: Map<string, string>): Promise<unknown> {
  const client = async (index: number): Promise<void> => {
    for (let count = 0; ; count += 1) {
      const name = `w${acknowledged.size}-${index}-${count}`;
      const { id } = await api.call('workload.run', { spec: { name, command: ['x'] } });
      acknowledged.set(id, name);
    }
  };
  return Promise.allSettled(Array.from({ length: CLIENTS }, (_, index) => client(index)));
}

async function allEvents(api: ApiClient): Promise<number[]> {
  const sequences: number[] = [];
  for (let from = 1; ;) {
    const { events, next } = await api.call('event.list', { from, limit: 1000 });
    if (events.length === 0) return sequences;
    sequences.push(...events.map(({ sequence }) => sequence));
    from = next;
  }
}

async function allWorkloads(api: ApiClient): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let cursor: string | undefined; ;) {
    const page = await api.call('workload.list', {
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const { id, name } of page.workloads) found.set(id, name);
    cursor = page.next;
    if (cursor === undefined) return found;
  }
}

/** Several lives of one gateway, each ended by a kill while clients submit. */
export async function expectAllKept(options: ProcessOptions, lives: number): Promise<void> {
  const random = seededRandom(SEED);
  const acknowledged = new Map<string, string>();
  let term = 0;
  for (let life = 0; life < lives; life += 1) {
    const gateway = new GatewayProcess(options);
    const api = await gateway.ready();
    const { writerTerm } = await api.call('fleet.status', {});
    expect(writerTerm).toBeGreaterThan(term);
    term = writerTerm;
    const until = acknowledged.size + Math.floor(random.fraction() * 300);
    const clients = submitForever(api, acknowledged);
    await waitUntil('enough was acknowledged', () => acknowledged.size >= until);
    await gateway.kill();
    await clients;
  }
  const api = await new GatewayProcess(options).ready();
  const found = await allWorkloads(api);
  for (const [id, name] of acknowledged) expect(found.get(id)).toBe(name);
  const sequences = await allEvents(api);
  expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  expect(sequences.length).toBeGreaterThanOrEqual(acknowledged.size);
}
