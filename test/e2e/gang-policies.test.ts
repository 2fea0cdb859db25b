// Shows gangs with policies on three real nodes: a failed one restarts as a whole where it was over a kill -9
// of the gateway, and no rank of an exclusive one is there twice though the agent of a member is dead.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { processesOf } from './support/leftovers.ts';
import { RealFleet, type Inspection } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 240_000 });

/** The shortest that a fleet takes, see `refuseHasty`. */
const AFTER_MS = 30_000;
/** (30 s + 1 s) × 1.1 and 10 s for a kill, after the last contact; and some for this machine. */
const FENCE_DEADLINE_MS = 120_000;

let fleet: RealFleet;
beforeAll(async () => {
  const nodes = ['alpha', 'beta', 'gamma'];
  fleet = await RealFleet.open(
    nodes.map((name) => ({ name, args: ['--simulate-gpus', '2xH100'] })),
    { gatewayArgs: ['--gang-grace', '1s'] },
  );
});
afterAll(() => fleet[Symbol.asyncDispose]());

type Attempt = Inspection['attempts'][number];

/** Of the newest reservation, the newest of each rank, by rank. */
function current({ attempts, gang }: Inspection): Attempt[] {
  const newest = attempts
    .filter(({ generation }) => generation === gang?.generation)
    .toSorted((left, right) => left.number - right.number);
  return [...new Map(newest.map((attempt) => [attempt.rank, attempt])).values()].toSorted(
    (left, right) => (left.rank ?? 0) - (right.rank ?? 0),
  );
}

async function begun(name: string): Promise<string[]> {
  const lines = (await fleet.file(`${name}.begun`)).split('\n');
  return lines.filter((line) => line !== '').toSorted();
}

/** Notes that it has begun, and waits to be let go; `first` is what else it does. */
function member(name: string, first = ':'): string {
  const wait = `while [ ! -e ${name}.go ]; do sleep 0.1; done`;
  return `echo "$CLAWBERNETES_RANK" >> ${name}.begun; ${first}; ${wait}`;
}

it('after a failure all restart where they were, over a kill -9 of the gateway, and spend one try', async () => {
  const once =
    'if [ "$CLAWBERNETES_RANK" = 1 ] && [ ! -e again.failed ]; then touch again.failed; exit 7; fi';
  const { id } = await fleet.sh(member('again', once), {
    name: 'again',
    resources: { gpus: 2 },
    gang: { members: 3 },
    restart: { attempts: 2, delayMs: 5000, maxDelayMs: 5000 },
  });
  await until('it waits for its delay', async () => (await fleet.inspect(id)).waiting?.reason === 'delayed');
  const waiting = await fleet.inspect(id);
  expect(waiting.waiting?.message).toContain('on the nodes that it had');
  const before = current(waiting);
  expect((await begun('again')).length).toBeGreaterThan(0);
  await fleet.restartGateway('SIGKILL');
  const view = await fleet.untilState(id, 'running');
  const place = ({ rank, nodeName, devices }: Attempt): unknown => [rank, nodeName, devices];
  expect(current(view).map(place)).toEqual(before.map(place));
  expect(view).toMatchObject({
    gang: { generation: 2 },
    budgets: { restart: { attempts: 2, spent: 1 } },
  });
  await until('all have begun again', async () => (await begun('again')).length >= before.length + 1);
  await fleet.letGo('again');
  expect(await fleet.end(id)).toMatchObject({ state: 'succeeded', gang: { generation: 2 } });
  await fleet.untilAllFree();
});

it('without any restarts left it ends, with the exit code of the member that failed', async () => {
  const script =
    'echo $CLAWBERNETES_RANK >> used.begun; if [ "$CLAWBERNETES_RANK" = 1 ]; then exit 7; fi; sleep 600';
  const { id } = await fleet.sh(script, {
    ...{ resources: { gpus: 2 }, gang: { members: 2 }, restart: { attempts: 1, delayMs: 0 } },
  });
  expect(await fleet.end(id)).toMatchObject({
    ...{ state: 'failed', exitCode: 7, gang: { generation: 2 } },
    budgets: { restart: { attempts: 1, spent: 1 } },
  });
  await fleet.untilAllFree();
});

it('no rank of an exclusive gang is there twice: all wait until a dead agent’s member has ended', async () => {
  const { id } = await fleet.sh(member('alone'), {
    ...{ name: 'alone', resources: { gpus: 2 }, gang: { members: 2 }, stopGraceMs: 1000 },
    ...{ exclusive: true, onDisconnect: { action: 'stop', afterMs: AFTER_MS } },
    replace: { attempts: 1, delayMs: 0 },
  });
  const first = current(await fleet.untilState(id, 'running'));
  await until('all have begun', async () => (await begun('alone')).length === 2);
  const lost = fleet.nodes.find(({ name }) => name === first[1]?.nodeName);
  await lost?.agent?.kill('SIGKILL');
  const lives = ({ id: attempt }: Attempt): boolean => processesOf([attempt]).length > 0;
  expect(first.every(lives)).toBe(true);
  await until(
    'all have begun anew',
    async () => {
      const { attempts } = await fleet.inspect(id);
      const living = attempts.filter(lives);
      expect(new Set(living.map(({ rank }) => rank)).size).toBe(living.length);
      expect(new Set(living.map(({ generation }) => generation)).size).toBeLessThan(2);
      return (await begun('alone')).length >= 3;
    },
    FENCE_DEADLINE_MS,
  );
  const view = await fleet.untilState(id, 'running');
  expect(view.attempts.find((attempt) => attempt.id === first[1]?.id)).toMatchObject({
    ...{ state: 'lost', fenced: true },
  });
  expect(view.budgets).toEqual({ replace: { attempts: 1, spent: 1 } });
  lost?.start();
  await lost?.untilConnected();
  await fleet.letGo('alone');
  expect(await fleet.end(id)).toMatchObject({ state: 'succeeded' });
  await fleet.untilAllFree();
});
