// Shows over HTTP why a workload waits, where it would start, what is refused, and that a restart forgets no
// reason.
import { expect, test } from 'vitest';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { startGateway } from '../support/local-gateway.ts';

const work = { command: ['work'], resources: { gpus: 2 } };

test('why and what-if answer from the live state', async () => {
  const gateway = await startGateway();
  const { api } = gateway;
  const { node } = await joinFleet(gateway, 'node-a', { gpus: 2 });
  expect(await api.call('fleet.what-if', { spec: work, count: 2 })).toMatchObject({
    starts: [{ node: 'node-a' }],
    waits: 1,
    waiting: { reason: 'waiting-for-capacity' },
  });
  const { workload } = await offered(api, node, { name: 'holder', resources: { gpus: 2 } });
  const { id } = await api.call('workload.run', { spec: work });
  const why = await api.call('workload.why', { workload: id });
  expect(why.waiting).toMatchObject({
    obstacles: [{ code: 'gpus-in-use', nodes: 1 }],
    remedies: [{ steps: [{ step: 'wait', until: [{ workload, name: 'holder' }] }], certain: true }],
  });
  expect(await api.call('fleet.what-if', { without: ['holder'] })).toMatchObject({
    unblocked: [{ workload: id, node: 'node-a' }],
  });
  const placed = await api.call('workload.why', { workload });
  expect(placed.placement).toMatchObject({ node: 'node-a', nodes: 1, candidates: 1 });
  const { api: later } = await gateway.restart();
  expect((await later.call('workload.why', { workload })).placement).toEqual(placed.placement);
});

test('what cannot be answered is refused with a code and a sentence', async () => {
  const { api } = await startGateway();
  expect(await api.refusal('workload.why', { workload: 'nobody' })).toMatchObject({
    status: 404,
    code: 'not-found',
  });
  expect(await api.refusal('fleet.what-if', { drain: ['nobody'] })).toMatchObject({ code: 'not-found' });
  expect(await api.refusal('fleet.what-if', { without: ['nobody'] })).toMatchObject({ code: 'not-found' });
  expect(await api.refusal('fleet.what-if', {})).toMatchObject({
    code: 'invalid-input',
    message: expect.stringContaining('spec, drain or without') as string,
  });
  expect(await api.refusal('fleet.what-if', { spec: work, count: 0 })).toMatchObject({
    code: 'invalid-input',
  });
  expect(
    await api.refusal('fleet.what-if', {
      spec: { command: ['work'], gang: { members: 2, topology: { level: 'numa' } } },
    }),
  ).toMatchObject({
    code: 'not-supported',
  });
});
