// Shows how the client carries out commands: authorisation, typed errors, retries of what may be repeated,
// long polls.
import { errorCode, seededRandom } from '@clawbernetes/kernel';
import { afterEach, describe, expect, it } from 'vitest';
import { openClient, type UnreachableFacts } from '../../src/index.ts';
import { cannedInspection, cannedWorkload } from '../canned-views.ts';
import { DROP_CONNECTION, GatewayStandIn, Refusal, type StandInBehaviour } from '../gateway-stand-in.ts';

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing[Symbol.asyncDispose]();
});

async function standIn(behaviour: StandInBehaviour): Promise<GatewayStandIn> {
  const gateway = await GatewayStandIn.open(behaviour);
  opened.push(gateway);
  return gateway;
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(() => 'succeeded', errorCode);
}

describe('commands', () => {
  it('sends the token and answers the output', async () => {
    const gateway = await standIn({ commands: { 'config.list': () => ({ entries: [] }) } });
    const client = openClient({}, { url: `${gateway.url}/`, token: 'secret' });
    expect(await client.command('config.list', {})).toEqual({ entries: [] });
    expect(gateway.requests).toEqual([{ path: '/api/commands/config.list', authorization: 'Bearer secret' }]);
  });

  it('throws what the gateway answered, with its code and its issues', async () => {
    const gateway = await standIn({
      commands: { 'node.info': () => new Refusal('not-found', 'There is no node "x".') },
    });
    const client = openClient({}, { url: gateway.url });
    await expect(client.command('node.info', { node: 'x' })).rejects.toMatchObject({
      code: 'not-found',
      message: 'There is no node "x".',
    });
    expect(gateway.calls('node.info')).toBe(1);
  });

  it('sends again what may be repeated when the connection broke or the gateway was overloaded', async () => {
    const answers = [DROP_CONNECTION, new Refusal('overloaded', 'Busy.', 1), { entries: [] }];
    const gateway = await standIn({ commands: { 'config.list': (_, call) => answers[call - 1] } });
    // The shortest waits: the longest two are more than a command has patience for.
    const random = { ...seededRandom(1), fraction: () => 0 };
    const client = openClient({ random }, { url: gateway.url });
    expect(await client.command('config.list', {})).toEqual({ entries: [] });
    expect(gateway.calls('config.list')).toBe(3);
  });

  it('does not send again what must not be repeated', async () => {
    const gateway = await standIn({ commands: { 'node.token': () => DROP_CONNECTION } });
    const client = openClient({}, { url: gateway.url });
    expect(await codeOf(client.command('node.token', {}))).toBe('gateway-unreachable');
    expect(gateway.calls('node.token')).toBe(1);
  });

  it('says where nothing answers and what to do', async () => {
    const gateway = await GatewayStandIn.open({});
    const { url } = gateway;
    await gateway[Symbol.asyncDispose]();
    const error = await openClient({}, { url })
      .command('fleet.status', {})
      .catch((caught: unknown) => caught as { message: string; facts: UnreachableFacts });
    expect(error).toMatchObject({ facts: { code: 'gateway-unreachable', url, reason: 'ECONNREFUSED' } });
    expect(error).toMatchObject({ message: expect.stringMatching(/nothing listens there.*clawbernetes up/) });
  });

  it('tells another server from a gateway', async () => {
    const fetch = (): Promise<Response> => Promise.resolve(new Response('<html>', { status: 404 }));
    const client = openClient({ fetch }, { url: 'http://elsewhere.test' });
    await expect(client.command('node.token', {})).rejects.toMatchObject({
      code: 'gateway-unreachable',
      message: expect.stringContaining('is not a Clawbernetes gateway (HTTP 404'),
    });
  });

  it('is aborted by its signal', async () => {
    const gateway = await standIn({ commands: { 'fleet.status': () => DROP_CONNECTION } });
    const client = openClient({}, { url: gateway.url });
    const signal = AbortSignal.abort();
    expect(await codeOf(client.command('fleet.status', {}, { signal }))).toBe('aborted');
  });
});

describe('run', () => {
  it('repeats a submission with the same key when the answer got lost', async () => {
    const keys: unknown[] = [];
    const gateway = await standIn({
      commands: {
        'workload.run': ({ idempotencyKey }, call) => {
          keys.push(idempotencyKey);
          return call === 1 ? DROP_CONNECTION : cannedWorkload('queued');
        },
      },
    });
    const workload = await openClient({}, { url: gateway.url }).run({ command: ['true'] });
    expect(workload.state).toBe('queued');
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it('polls to the end, over a lost connection too', async () => {
    const answers = [cannedInspection('running'), DROP_CONNECTION, cannedInspection('succeeded')];
    const gateway = await standIn({
      commands: {
        'workload.run': ({ waitMs }) => (expect(waitMs).toBeGreaterThan(0), cannedWorkload('running')),
        'workload.inspect': (_, call) => answers[call - 1],
      },
    });
    const workload = await openClient({}, { url: gateway.url }).runToEnd({ command: ['true'] });
    expect(workload.state).toBe('succeeded');
    expect(gateway.calls('workload.inspect')).toBe(3);
  });

  it('needs one request when the workload ends within the first poll', async () => {
    const gateway = await standIn({ commands: { 'workload.run': () => cannedWorkload('succeeded') } });
    await openClient({}, { url: gateway.url }).runToEnd({ command: ['true'] });
    expect(gateway.requests).toHaveLength(1);
  });

  it('outlasts a gateway that restarts on its port', async () => {
    const first = await GatewayStandIn.open({
      commands: { 'workload.run': () => cannedWorkload('running') },
    });
    const { port, url } = first;
    const client = openClient({}, { url });
    await client.run({ command: ['true'] });
    await first[Symbol.asyncDispose]();
    const end = client.waitForEnd('wl-1');
    opened.push(
      await GatewayStandIn.open({ commands: { 'workload.inspect': () => cannedInspection('failed') } }, port),
    );
    expect((await end).state).toBe('failed');
  });
});
