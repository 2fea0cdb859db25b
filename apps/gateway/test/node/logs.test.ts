// Shows that the gateway's copy of a log has the node's bytes at the node's positions, whatever arrives, and
// hands them out from any position, live, exact and binary-safe.
import { beforeEach, describe, expect, test } from 'vitest';
import { serverSentEvents, type ApiClient } from '../support/api-client.ts';
import { status, type FakeNode, type Offer } from '../support/fake-node.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { startGateway, type LocalGateway } from '../support/local-gateway.ts';
import { logOf, record } from '../support/log-bytes.ts';

let gateway: LocalGateway;
let api: ApiClient;
let node: FakeNode;
let workload: string;
let offer: Offer;
beforeEach(async () => {
  gateway = await startGateway();
  ({ api } = gateway);
  ({ node } = await joinFleet(gateway));
  ({ workload, offer } = await offered(api, node));
  node.report(status(offer, { state: 'running' }));
  await node.next('statusAck');
});

/** Sends a piece and answers up to where the gateway has it. */
async function ship(position: number, bytes: Uint8Array, attemptId = offer.attemptId): Promise<number> {
  node.logChunk(attemptId, position, bytes);
  return Number((await node.next('logAck', (ack) => ack.attemptId === attemptId)).position);
}

async function end(logEnd: number): Promise<void> {
  node.report(status(offer, { state: 'exited', exitCode: 0, revision: 2, logEnd }));
  await node.next('statusAck');
}

async function rawLog(query = ''): Promise<{ position: number; bytes: Buffer }> {
  const reply = await api.fetch(`/api/workloads/${workload}/logs${query}`);
  expect(reply.status).toBe(200);
  return {
    position: Number(reply.headers.get('x-log-position')),
    bytes: Buffer.from(await reply.arrayBuffer()),
  };
}

describe('pieces', () => {
  test('that repeat or overlap are taken once', async () => {
    const { bytes, positions } = logOf('one\n', 'two\n', 'three\n');
    const [, second = 0, third = 0, last = 0] = positions;
    expect(await ship(0, bytes.subarray(0, third))).toBe(third);
    expect(await ship(0, bytes.subarray(0, second))).toBe(third);
    expect(await ship(second, bytes.subarray(second))).toBe(last);
    expect(await ship(0, bytes)).toBe(last);
    expect((await rawLog()).bytes).toEqual(bytes);
  });

  test('after a gap are kept at their place, and the gap is named', async () => {
    const first = record('before\n');
    expect(await ship(0, first)).toBe(first.length);
    const after = record('after\n');
    expect(await ship(5000, after)).toBe(5000 + after.length);
    const beyond = await api.call('workload.logs', { workload, position: first.length });
    expect(beyond).toMatchObject({ droppedBytes: 5000 - first.length, position: 5000 + after.length });
    expect(beyond.entries).toMatchObject([{ data: 'after\n' }]);
    // Positions are implicit in raw bytes, so that stream ends at the gap and goes on from behind it.
    expect((await rawLog()).bytes).toEqual(Buffer.from(first));
    expect(await rawLog(`?position=${first.length}`)).toEqual({ position: 5000, bytes: Buffer.from(after) });
  });

  test.each([
    ['bytes that are no records', 0, Buffer.from('plain text, longer than a header')],
    ['half a record', 0, record('cut off').subarray(0, -1)],
    ['a piece that does not continue at a record', 3, Buffer.concat([record('a'), record('b')])],
    ['a position beyond any log', 2n ** 60n, record('x')],
  ])('that are damaged cost their sender the connection: %s', async (_what, position, bytes) => {
    const whole = record('whole\n');
    await ship(0, whole);
    node.logChunk(offer.attemptId, position, bytes);
    expect((await node.next('error')).code).toMatch(/log-damaged|bad-frame/);
    expect((await node.closed).code).toBe(4400);
    expect((await rawLog()).bytes).toEqual(Buffer.from(whole));
    await joinFleet(gateway, 'other');
  });

  test('of an attempt that the gateway does not know are acknowledged, so that the node can forget them', async () => {
    const bytes = record('forgotten');
    expect(await ship(700, bytes, 'at-forgotten')).toBe(700 + bytes.length);
  });

  test('of another node’s attempt are acknowledged and not kept', async () => {
    const { node: other } = await joinFleet(gateway, 'other');
    other.logChunk(offer.attemptId, 0, record('forged\n'));
    await other.next('logAck');
    expect((await rawLog()).bytes).toHaveLength(0);
  });
});

describe('readers', () => {
  test('follow from any position, exactly, while it grows and to its end', async () => {
    const { bytes, positions } = logOf('a\n', Buffer.from([0, 255, 10]), '', 'b', 'c\n'.repeat(500), 'end');
    const [, second = 0, third = 0] = positions;
    await ship(0, bytes.subarray(0, second));
    const readers = positions.slice(0, 4).map((position) => rawLog(`?follow=true&position=${position}`));
    await ship(second, bytes.subarray(second, third));
    await ship(third, bytes.subarray(third));
    await end(bytes.length);
    for (const [index, { position, bytes: read }] of (await Promise.all(readers)).entries()) {
      expect(position).toBe(positions[index]);
      expect(read).toEqual(bytes.subarray(position));
    }
  });

  test('that follow wait for the rest of a log whose workload has ended', async () => {
    const { bytes, positions } = logOf('early\n', 'late\n');
    const [, second = 0] = positions;
    await ship(0, bytes.subarray(0, second));
    await end(bytes.length);
    const reader = rawLog('?follow=1');
    expect(await api.call('workload.logs', { workload })).toMatchObject({ complete: false });
    await ship(second, bytes.subarray(second));
    expect((await reader).bytes).toEqual(bytes);
    expect(await api.call('workload.logs', { workload })).toMatchObject({ complete: true });
  });

  test('get it as events too, text as text and other bytes as base64, with positions to resume from', async () => {
    const { bytes, positions } = logOf('grüße\n', Buffer.from([0xff, 0xfe]), 'rest\n');
    await ship(0, bytes);
    await end(bytes.length);
    const path = `/api/workloads/${workload}/logs`;
    const read = async (headers: Record<string, string>): Promise<unknown[]> => {
      const reply = await api.fetch(path, { headers: { accept: 'text/event-stream', ...headers } });
      const found = [];
      for await (const { id, data } of serverSentEvents(reply)) found.push([id, JSON.parse(data)]);
      return found;
    };
    const all = await read({});
    expect(all).toEqual([
      [`1-${positions[1]}`, { timeMs: 1, stream: 'stdout', data: 'grüße\n', encoding: 'utf8' }],
      [`1-${positions[2]}`, { timeMs: 1, stream: 'stdout', data: '//4=', encoding: 'base64' }],
      [`1-${positions[3]}`, { timeMs: 1, stream: 'stdout', data: 'rest\n', encoding: 'utf8' }],
    ]);
    for (const id of [`1-${positions[1]}`, String(positions[1])])
      expect(await read({ 'last-event-id': id })).toEqual(all.slice(1));
  });

  test('may ask for the last lines', async () => {
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index}\n`);
    const { bytes, positions } = logOf(...lines);
    await ship(0, bytes);
    const { entries } = await api.call('workload.logs', { workload, tail: 3 });
    expect(entries.map(({ data }) => data)).toEqual(lines.slice(-3));
    const { position, bytes: read } = await rawLog('?tail=2');
    expect(position).toBe(positions[48]);
    expect(read).toEqual(bytes.subarray(position));
    expect((await rawLog('?tail=0')).bytes).toHaveLength(0);
  });

  test('that ask for nonsense are told what is wrong', async () => {
    for (const query of ['?position=-1', '?tail=x', '?follow=perhaps']) {
      const reply = await api.fetch(`/api/workloads/${workload}/logs${query}`);
      expect(reply.status).toBe(400);
      expect(await reply.json()).toMatchObject({ code: 'invalid-input' });
    }
    const missing = await api.fetch('/api/workloads/wl-nothing/logs');
    expect([missing.status, await missing.json()]).toMatchObject([404, { code: 'not-found' }]);
  });

  test('that leave while they wait are forgotten', async () => {
    const abort = new AbortController();
    const following = api.fetch(`/api/workloads/${workload}/logs?follow=true`, {
      signal: abort.signal,
      headers: { accept: 'text/event-stream' },
    });
    expect((await following).status).toBe(200);
    abort.abort();
    await ship(0, record('nobody listens\n'));
    await end(record('nobody listens\n').length);
  });
});

test('what a short command wrote is in its answer, whole, also when its log comes last and in pieces', async () => {
  const answer = api.call('system.run', { node: 'node-a', command: ['list'] });
  const run = await node.offer();
  const out = Buffer.from('x'.repeat(40_000));
  const bytes = Buffer.concat([record(out), record('oops', 'stderr'), record(out), record('tail')]);
  node.report(status(run, { state: 'exited', exitCode: 2, logEnd: bytes.length }));
  await node.next('statusAck');
  const middle = record(out).length + record('oops').length;
  await ship(0, bytes.subarray(0, middle), run.attemptId);
  await ship(middle, bytes.subarray(middle), run.attemptId);
  const { stdout, stderr, exitCode, truncated } = await answer;
  expect({ stderr, exitCode, truncated }).toEqual({ stderr: 'oops', exitCode: 2, truncated: false });
  expect(stdout).toBe(`${'x'.repeat(80_000)}tail`);
});

test('the last lines are exact, also where one record holds many', async () => {
  const { bytes } = logOf('1\n2\n3\n', '4\n5\n6');
  await ship(0, bytes);
  const { entries } = await api.call('workload.logs', { workload, tail: 4 });
  expect(entries.map(({ data }) => data).join('')).toBe('3\n4\n5\n6');
  const reply = await api.fetch(`/api/workloads/${workload}/logs?tail=4`);
  expect(reply.headers.get('x-log-skip-bytes')).toBe('4');
  const events = await api.fetch(`/api/workloads/${workload}/logs?tail=1`, {
    headers: { accept: 'text/event-stream' },
  });
  expect(await events.text()).toContain('"data":"6"');
});
