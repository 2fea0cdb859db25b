// Shows that nothing leaves the gateway before it is stored: no answer, no acknowledgement, no order and no
// event, however slow the disk is.
import { expect, test } from 'vitest';
import { status } from '../support/fake-node.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { startSlowGateway } from '../support/slow-gateway.ts';

/** What of these has settled once the gateway has dealt with everything that was sent before. */
async function settledOf(
  api: {
    call: (name: 'node.list', input: object) => Promise<unknown>;
    fetch: (path: string) => Promise<Response>;
  },
  promises: readonly Promise<unknown>[],
): Promise<readonly boolean[]> {
  const settled = promises.map(() => false);
  for (const [index, promise] of promises.entries())
    promise.then(() => (settled[index] = true)).catch(() => (settled[index] = true));
  // Requests that need no store: many turns of the gateway's event loop pass meanwhile.
  for (let turn = 0; turn < 20; turn += 1) await (await api.fetch('/metrics')).text();
  return settled;
}

test('an answer waits for its commit', async () => {
  const { disk, diskClock, api } = await startSlowGateway();
  diskClock.hold();
  const events = api.events({ from: 1 }, (seen) => seen.length > 0);
  const answers = [
    api.call('workload.run', { spec: { command: ['x'] } }),
    api.call('config.create', { key: 'k', value: 1 }),
    api.call('node.token', {}),
  ];
  expect(await settledOf(api, [...answers, events])).toEqual([false, false, false, false]);
  // What a reader is shown could rest on what is not stored either.
  expect(await settledOf(api, [api.call('workload.list', {})])).toEqual([false]);
  disk.crash();
  for (const answer of answers) await expect(answer).rejects.toThrow('503');
});

test('a node’s report is acknowledged, and its effects are shown, only once it is stored', async () => {
  const { diskClock, api, nodeUrl } = await startSlowGateway();
  const { node } = await joinFleet({ api, nodeUrl });
  const { workload, offer } = await offered(api, node);
  const before = (await api.call('event.list', { from: 0 })).next;
  const waiting = api.call('workload.inspect', { workload, waitMs: 60_000 });
  await (await api.fetch('/metrics')).text();
  diskClock.hold();
  node.report(status(offer, { state: 'exited', exitCode: 0 }));
  const acknowledged = node.next('statusAck');
  const seen = api.events({ from: before }, (events) =>
    events.some(({ type }) => type === 'workload.succeeded'),
  );
  expect(await settledOf(api, [acknowledged, waiting, seen])).toEqual([false, false, false]);
  diskClock.release();
  await acknowledged;
  expect((await waiting).state).toBe('succeeded');
  expect((await seen).at(-1)?.subject).toBe(workload);
});

test('an order to a node waits for the commit of its placement', async () => {
  const { diskClock, api, nodeUrl } = await startSlowGateway();
  const { node } = await joinFleet({ api, nodeUrl });
  diskClock.hold();
  const run = api.call('workload.run', { spec: { command: ['x'] } });
  const order = node.offer();
  expect(await settledOf(api, [run, order])).toEqual([false, false]);
  diskClock.release();
  expect((await order).attemptId).toBe((await run).attempt?.id);
});

test('a node that joins is told so only once it is stored', async () => {
  const { diskClock, api, nodeUrl } = await startSlowGateway();
  const { node: first } = await joinFleet({ api, nodeUrl }, 'first');
  diskClock.hold();
  const joining = joinFleet({ api, nodeUrl }, 'second');
  expect(await settledOf(api, [joining])).toEqual([false]);
  diskClock.release();
  expect((await joining).nodeId).not.toBe('');
  first.socket.close();
});
