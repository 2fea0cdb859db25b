// Shows gangs on three real nodes: no program begins before all members are ready, whoever is killed
// meanwhile; a lost member is replaced, and one that fails ends them all.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RealFleet, type Inspection } from './support/real-fleet.ts';
import type { RealNode } from './support/real-node.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: RealFleet;
beforeAll(async () => {
  const nodes = ['alpha', 'beta', 'gamma'];
  fleet = await RealFleet.open(
    nodes.map((name) => ({ name, args: ['--simulate-gpus', '2xH100', '--label', 'rack=r1'] })),
    { gatewayArgs: ['--gang-grace', '1s'] },
  );
});
afterAll(() => fleet[Symbol.asyncDispose]());

/** Says that it has begun, and as whom, and waits to be let go. */
function member(name: string): string {
  return (
    `echo "$CLAWBERNETES_RANK/$CLAWBERNETES_MEMBERS $NODE_RANK/$NNODES $MASTER_PORT" >> ${name}.begun; ` +
    `echo "I am $CLAWBERNETES_RANK"; while [ ! -e ${name}.go ]; do sleep 0.1; done`
  );
}

async function submit(name: string, members: number, gpus = 2): Promise<string> {
  const { id } = await fleet.sh(member(name), {
    name,
    resources: { gpus },
    gang: { members, topology: { level: 'rack' } },
  });
  return id;
}

async function begun(name: string): Promise<string[]> {
  const text = await fleet.file(`${name}.begun`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .toSorted();
}

function current({ attempts, gang }: Inspection): Inspection['attempts'] {
  const newest = new Map(
    attempts
      .filter(({ generation }) => generation === gang?.generation)
      .toSorted((left, right) => left.number - right.number)
      .map((attempt) => [attempt.rank, attempt]),
  );
  return [...newest.values()].toSorted((left, right) => (left.rank ?? 0) - (right.rank ?? 0));
}

function nodeOf(name: string): RealNode {
  const node = fleet.nodes.find((one) => one.name === name);
  if (!node) throw new Error(`${name} is no node`);
  return node;
}

async function untilOthersAreReady(id: string): Promise<Inspection> {
  let view = await fleet.inspect(id);
  await until(
    () => `two members are ready: ${JSON.stringify(view.gang)}`,
    async () => ((view = await fleet.inspect(id)).gang?.ready ?? 0) === 2,
  );
  return view;
}

it('no member begins before all are ready; then all do, each with its rank', async () => {
  nodeOf('gamma').agent?.signal('SIGSTOP');
  const id = await submit('barrier', 3);
  const { gang, state } = await untilOthersAreReady(id);
  expect([gang?.phase, gang?.running, state]).toEqual(['gathering', 0, 'preparing']);
  expect(await begun('barrier')).toEqual([]);
  nodeOf('gamma').agent?.signal('SIGCONT');
  await fleet.untilState(id, 'running');
  await until('all have begun', async () => (await begun('barrier')).length === 3);
  expect(await begun('barrier')).toEqual(['0/3 0/3 29500', '1/3 1/3 29500', '2/3 2/3 29500']);
  const view = await fleet.inspect(id);
  expect(new Set(current(view).map(({ nodeName }) => nodeName))).toEqual(new Set(['alpha', 'beta', 'gamma']));
  await until('all are known to run', async () => (await fleet.inspect(id)).gang?.running === 3);
  const command = ['sh', '-c', 'echo $CLAWBERNETES_RANK'];
  const inside = await fleet.client.command('container.exec', { workload: id, rank: 1, command });
  expect(inside).toMatchObject({ exitCode: 0, stdout: '1\n' });
  await fleet.letGo('barrier');
  expect(await fleet.end(id)).toMatchObject({ state: 'succeeded' });
  const told: string[] = [];
  for await (const { bytes } of fleet.client.followLogs(id, { rank: 2 }))
    told.push(Buffer.from(bytes).toString());
  expect(told.join('')).toBe('I am 2\n');
  await fleet.untilAllFree();
});

it('a gateway that is killed between reservation and start goes on with the same members', async () => {
  nodeOf('gamma').agent?.signal('SIGSTOP');
  const id = await submit('killed', 3);
  const before = current(await untilOthersAreReady(id)).map((attempt) => attempt.id);
  await fleet.gateway.kill('SIGKILL');
  nodeOf('gamma').agent?.signal('SIGCONT');
  await fleet.restartGateway();
  await until('all have begun', async () => (await begun('killed')).length === 3);
  expect(current(await fleet.inspect(id)).map((attempt) => attempt.id)).toEqual(before);
  await fleet.letGo('killed');
  expect(await fleet.end(id)).toMatchObject({ state: 'succeeded', gang: { generation: 1 } });
  expect(await begun('killed')).toHaveLength(3);
  await fleet.untilAllFree();
});

it('a member whose agent and supervisor are killed is replaced; the others go on', async () => {
  const id = await submit('replaced', 2);
  const before = current(await fleet.untilState(id, 'running'));
  await until('all have begun', async () => (await begun('replaced')).length === 2);
  const lost = nodeOf(before[1]?.nodeName ?? '');
  await lost.agent?.kill('SIGKILL');
  await lost.killSupervisor();
  lost.start();
  await lost.untilConnected();
  await until('another has begun', async () => (await begun('replaced')).length === 3);
  const view = await fleet.untilState(id, 'running');
  const after = current(view);
  expect(after.map(({ rank }) => rank)).toEqual([0, 1]);
  expect(after[0]?.id).toBe(before[0]?.id);
  expect(after[1]?.id).not.toBe(before[1]?.id);
  expect(await begun('replaced')).toEqual(['0/2 0/2 29500', '1/2 1/2 29500', '1/2 1/2 29500']);
  await fleet.letGo('replaced');
  expect(await fleet.end(id)).toMatchObject({ state: 'succeeded', gang: { generation: 1 } });
  await fleet.untilAllFree();
});

it('without rank 0 the others begin anew with it', async () => {
  const id = await submit('anew', 2);
  const [first] = current(await fleet.untilState(id, 'running'));
  await until('all have begun', async () => (await begun('anew')).length === 2);
  const lost = nodeOf(first?.nodeName ?? '');
  await lost.agent?.kill('SIGKILL');
  await lost.killSupervisor();
  lost.start();
  await lost.untilConnected();
  await until('all have begun again', async () => (await begun('anew')).length === 4);
  await until('both are said to run', async () => (await fleet.inspect(id)).gang?.running === 2);
  expect(await fleet.inspect(id)).toMatchObject({ state: 'running', moves: 1, gang: { generation: 2 } });
  await fleet.letGo('anew');
  expect(await fleet.end(id)).toMatchObject({ state: 'succeeded' });
  await fleet.untilAllFree();
});

it('one that fails ends them all, with its exit code', async () => {
  const script = 'if [ "$CLAWBERNETES_RANK" = 1 ]; then exit 7; fi; while true; do sleep 0.1; done';
  const { id } = await fleet.sh(script, { resources: { gpus: 2 }, gang: { members: 3 } });
  expect(await fleet.end(id)).toMatchObject({ state: 'failed', exitCode: 7 });
  await fleet.untilAllFree();
});

it('gangs that ask for it stand on one NUMA node each; a third, for which each has one GPU left, waits', async () => {
  await fleet.addNode({ name: 'delta', args: ['--simulate-gpus', '8xH100', '--label', 'rack=r2'] });
  const together = (name: string, members: number): Promise<{ id: string }> =>
    fleet.sh(member(name), {
      ...{ name, resources: { gpus: 1 }, nodeSelector: { rack: 'r2' } },
      gang: { members, topology: { level: 'numa' } },
    });
  const ids = [(await together('first', 3)).id, (await together('second', 3)).id];
  const numaNodes: number[] = [];
  for (const id of ids) {
    const view = await fleet.untilState(id, 'running');
    expect(view.gang?.level).toBe('numa');
    const gpus = current(view).flatMap(({ devices }) => devices);
    numaNodes.push(...new Set(gpus.map((gpu) => (Number(gpu.slice('sim-gpu-'.length)) < 4 ? 0 : 1))));
  }
  expect(numaNodes.toSorted((one, other) => one - other)).toEqual([0, 1]);
  const { id } = await together('third', 2);
  await until(
    'it is known why the third waits',
    async () => (await fleet.inspect(id)).waiting?.reason === 'topology',
  );
  expect((await fleet.inspect(id)).waiting?.message).toContain('2 members on one NUMA node');
  for (const name of ['first', 'second', 'third']) await fleet.letGo(name);
  for (const one of [...ids, id]) expect(await fleet.end(one)).toMatchObject({ state: 'succeeded' });
  await fleet.untilAllFree();
});
