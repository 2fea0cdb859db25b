// Shows that the death of an agent, by any signal and in any state of its workloads, ends none of them.
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { identityOf, isRunning } from '../../src/supervisor/process-identity.ts';
import { until } from '../../src/testing/until.ts';
import {
  launchOf,
  logText,
  politeProgram,
  statusOf,
  SupervisorBench,
  untilEnded,
  untilState,
} from './bench.ts';

it('kill -9 of an agent with workloads in every state: the next agent finds them, their output and their ends', async () => {
  await using bench = new SupervisorBench();
  const agent = await bench.agentProcess(
    [
      launchOf('ended', 'echo done; exit 5'),
      launchOf('running', 'echo first; while [ ! -e "$GATE" ]; do sleep 0.02; done; echo last; exit 7', {
        env: { GATE: join(bench.folder, 'gate') },
      }),
      launchOf('stopping', politeProgram('cleaned', 500, 9)),
      launchOf('accepted', 'echo started late; exit 3', { env: { START_DELAY_MS: '2000' } }),
      launchOf('preparing', 'echo prepared; exit 4', { image: 'brief' }),
    ],
    { stops: ['stopping'] },
  );
  const died = new Promise((resolve) => agent.once('exit', (_, signal) => resolve(signal)));
  agent.kill('SIGKILL');
  expect(await died).toBe('SIGKILL');

  const supervisor = await bench.connect();
  expect(await statusOf(supervisor, 'accepted')).toMatchObject({ state: 'accepted' });
  expect(await statusOf(supervisor, 'running')).toMatchObject({ state: 'running' });
  closeSync(openSync(join(bench.folder, 'gate'), 'w'));
  const ends = await Promise.all(
    ['ended', 'running', 'stopping', 'accepted', 'preparing'].map((id) => untilEnded(supervisor, id)),
  );
  expect(ends.map(({ state, exitCode }) => `${state} ${exitCode}`)).toEqual([
    'exited 5',
    'exited 7',
    'killed 9',
    'exited 3',
    'exited 4',
  ]);
  expect(ends[2]?.reason).toBe('stopped');
  expect(await logText(supervisor, 'ended')).toBe('done\n');
  expect(await logText(supervisor, 'running')).toBe('first\nlast\n');
  expect(await logText(supervisor, 'stopping')).toContain('cleaned\n');
  expect(await logText(supervisor, 'preparing')).toBe('prepared\n');
  expect(await logText(supervisor, 'accepted')).toBe('started late\n');
});

it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  '%s to the process group of the agent leaves supervisor and workload alone',
  async (signal) => {
    await using bench = new SupervisorBench();
    const agent = await bench.agentProcess([launchOf('one', 'echo up; sleep 60')]);
    const died = new Promise((resolve) => agent.once('exit', resolve));
    process.kill(-(agent.pid ?? 0), signal);
    await died;
    const supervisor = await bench.connect();
    expect(await untilState(supervisor, 'one', 'running')).toMatchObject({ revision: 2 });
  },
);

it('the supervisor has a session, an environment and files of its own', async () => {
  await using bench = new SupervisorBench();
  const folder = mkdtempSync(join(tmpdir(), 'inherited-'));
  const secret = openSync(join(folder, 'secret-file'), 'w+');
  const agent = await bench.agentProcess([], { fds: [secret, secret] });
  closeSync(secret);
  const { pid = 0 } = await bench.connect();
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  expect([Number(group), Number(session)]).toEqual([pid, pid]);
  const files = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return [];
    }
  });
  expect(files.filter((file) => file.startsWith(folder))).toEqual([]);
  const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
  expect(environment).toContain('PATH=');
  expect(environment).not.toContain('AGENT_SECRET');
  agent.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

it('without agents and work for its idle time the supervisor ends, and what it knew is there for the next', async () => {
  await using bench = new SupervisorBench();
  const agent = await bench.agentProcess([]);
  agent.kill('SIGKILL');
  const first = await bench.connect({ idleExitMs: 1 });
  const before = identityOf(first.pid ?? 0);
  await first.launch(launchOf('one', 'echo kept; exit 6'));
  await untilEnded(first, 'one');
  await first[Symbol.asyncDispose]();
  await until('the idle supervisor has ended', () => !isRunning(before));
  const second = await bench.connect({ idleExitMs: 1 });
  expect(second.pid).not.toBe(before.pid);
  expect(await statusOf(second, 'one')).toMatchObject({ state: 'exited', exitCode: 6 });
  expect(await logText(second, 'one')).toBe('kept\n');
});
