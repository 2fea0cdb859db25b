// Shows that the event log has no gaps and no repeats for any reader: streamed, listed, resumed, over
// WebSockets and over a restart.
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { EventView } from '@clawbernetes/protocol';
import type { ApiClient } from '../support/api-client.ts';
import { startGateway } from '../support/local-gateway.ts';
import { startSlowGateway } from '../support/slow-gateway.ts';
import { waitUntil } from '../support/wait-until.ts';

async function makeEvents(api: ApiClient, count: number, prefix = 'k'): Promise<void> {
  const keys = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  await Promise.all(keys.map((key) => api.call('config.create', { key, value: 0 })));
}

const sequences = (events: readonly EventView[]): number[] => events.map(({ sequence }) => sequence);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const upTo =
  (last: number) =>
  (events: readonly EventView[]): boolean =>
    (events.at(-1)?.sequence ?? 0) >= last;

describe('the stream', () => {
  test('has everything from a number on, old and new, page after page', async () => {
    const { api } = await startGateway();
    await makeEvents(api, 700);
    const stream = api.events({ from: 3 }, upTo(750));
    await makeEvents(api, 50, 'later');
    expect(sequences(await stream)).toEqual(range(3, 750));
  });

  test('resumes after the last event that was seen, over a restart, without a gap', async () => {
    const first = await startGateway();
    await makeEvents(first.api, 30);
    const seen = await first.api.events({ from: 1 }, upTo(12));
    const { api } = await first.restart();
    await makeEvents(api, 10, 'later');
    const rest = await api.events({ lastEventId: seen.at(-1)?.sequence ?? 0 }, upTo(40));
    expect(sequences([...seen, ...rest])).toEqual(range(1, 40));
  });

  test('ends when the gateway stops, so that readers know to come back', async () => {
    const gateway = await startGateway();
    const stream = gateway.api.events({ from: 1 }, () => false);
    await makeEvents(gateway.api, 3);
    await gateway.stop();
    expect(sequences(await stream)).toEqual([1, 2, 3]);
  });

  test('begins with what comes next if no number is given, and refuses nonsense', async () => {
    const { api } = await startGateway();
    await makeEvents(api, 5);
    const reply = await api.fetch('/api/events');
    const reader = reply.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(': connected\n\n');
    await makeEvents(api, 1, 'new');
    expect(new TextDecoder().decode((await reader?.read())?.value)).toMatch(/^id: 6\n/);
    await reader?.cancel();
    expect((await api.fetch('/api/events?from=soon')).status).toBe(400);
    expect((await api.fetch('/api/events?from=-1')).status).toBe(400);
  });
});

test('live updates over a WebSocket are the same events', async () => {
  const { api } = await startGateway();
  await makeEvents(api, 5);
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/api/ws?from=2`, {
    headers: { authorization: `Bearer ${api.token}` },
  });
  const events: EventView[] = [];
  socket.on('message', (data: Buffer) => events.push(JSON.parse(String(data)) as EventView));
  await once(socket, 'open');
  await makeEvents(api, 5, 'later');
  await waitUntil('all came', () => events.length === 9);
  expect(sequences(events)).toEqual(range(2, 10));
  socket.close();
});

describe('the list', () => {
  test('comes in pages, of one subject if wanted', async () => {
    const { api } = await startGateway();
    await makeEvents(api, 12);
    await api.call('config.update', { key: 'k3', value: 1 });
    const page = await api.call('event.list', { from: 1, limit: 5 });
    expect([sequences(page.events), page.next]).toEqual([range(1, 5), 6]);
    const { events, next } = await api.call('event.list', { from: 1, subject: 'k3' });
    expect(events.map(({ type }) => type)).toEqual(['config.created', 'config.updated']);
    expect(next).toBe(14);
    expect(await api.call('event.list', { from: 99 })).toEqual({ events: [], next: 99 });
  });

  test('never passes an event that is not stored yet: who goes on from `next` misses none', async () => {
    const { diskClock, api } = await startSlowGateway();
    await makeEvents(api, 3);
    diskClock.hold();
    const making = makeEvents(api, 4, 'later');
    const listing = Promise.all(Array.from({ length: 5 }, () => api.call('event.list', { from: 4 })));
    for (let turn = 0; turn < 10; turn += 1) await (await api.fetch('/metrics')).text();
    diskClock.release();
    await making;
    for (const { events, next } of await listing) {
      const rest = (await api.call('event.list', { from: next })).events;
      expect(sequences([...events, ...rest])).toEqual(range(4, 7));
    }
  });
});
