// Shows the command line as people use it: up, its end in every way, run with its exit codes, and nothing
// left behind.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WorkloadView } from '@clawbernetes/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cgroupsOf, leftovers, processesOf } from './support/leftovers.ts';
import { BINS, Program } from './support/program.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });

let folder: string;
let project: string;
let ids: string[];
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'claw-cli-'));
  project = path.join(folder, 'project');
  await mkdir(project);
  ids = [];
});
afterEach(async () => {
  await cli('down').ended;
  expect(leftovers(folder, ids)).toEqual([]);
  await rm(folder, { recursive: true });
});

function cli(...args: string[]): Program {
  const env = { CLAWBERNETES_HOME: path.join(folder, 'home') };
  return new Program(BINS.cli, args, { env, cwd: project, ownGroup: true });
}

/** An `up` that is ready. */
async function up(...args: string[]): Promise<Program> {
  const program = cli('up', '--port', '0', '-f', 'json', ...args);
  await until(
    () => `up is ready; it said:\n${program.stdout}\n${program.stderr}`,
    () => {
      if (!program.isRunning) throw new Error(`up ended:\n${program.stderr}`);
      return program.stdout.endsWith('}\n');
    },
  );
  return program;
}

async function json<T>(...args: string[]): Promise<T> {
  const program = cli(...args, '-f', 'json');
  if ((await program.ended) !== 0) throw new Error(program.stderr);
  return JSON.parse(program.stdout) as T;
}

/** Submits a workload that runs until it is stopped; answers its attempt. */
async function background(name: string): Promise<string> {
  const detached = cli('run', '-d', '--name', name, '--', 'sh', '-c', 'echo up; sleep 310 & wait');
  expect(await detached.ended).toBe(0);
  let view: WorkloadView | undefined;
  await until('it runs', async () => {
    view = await json<WorkloadView>('workload', 'status', name);
    return view.state === 'running';
  });
  const id = view?.attempt?.id ?? '';
  ids.push(id);
  return id;
}

describe('up', () => {
  it('--once: the first workload’s exit code, and everything is gone', async () => {
    const once = cli('up', '--once', '--port', '0');
    expect(await once.ended).toBe(0);
    expect(once.stdout).toMatch(/hashed at/);
    expect(leftovers(folder, [])).toEqual([]);
  });

  it('Ctrl-C while work runs: all is gone at once, and the next up knows how the work ended', async () => {
    const first = await up('--name', 'here');
    const attempt = await background('endless');
    const second = cli('up', '--port', '0');
    expect(await second.ended).toBe(1);
    expect(second.stderr).toMatch(/already runs here: http/);
    first.signalGroup('SIGINT');
    expect(await first.ended).toBe(0);
    expect(leftovers(folder, [attempt])).toEqual([]);
    const again = await up('--name', 'here');
    const view = await json<WorkloadView>('workload', 'status', 'endless');
    expect(view).toMatchObject({ state: 'cancelled', endReason: 'stopped' });
    const logs = cli('workload', 'logs', 'endless');
    expect(await logs.ended).toBe(0);
    expect(logs.stdout).toBe('up\n');
    again.signal('SIGTERM');
    expect(await again.ended).toBe(0);
  });

  it('killed with -9: its fleet goes on, and down ends all of it', async () => {
    const first = await up();
    const attempt = await background('orphan');
    await first.kill();
    expect((await json<WorkloadView>('workload', 'status', 'orphan')).state).toBe('running');
    expect(await cli('down').ended).toBe(0);
    expect(leftovers(folder, [attempt])).toEqual([]);
    expect(cgroupsOf([attempt])).toEqual([]);
  });

  it('killed with -9 together with its gateway and its node: down ends the work that is left', async () => {
    const first = await up();
    const attempt = await background('abandoned');
    const children = processesOf([path.join(folder, 'home')]).filter(({ command }) =>
      /\bnode\b.*claw/.test(command),
    );
    for (const { pid } of children) process.kill(pid, 'SIGKILL');
    await first.ended;
    expect(processesOf([attempt]).length).toBeGreaterThan(0);
    expect(await cli('down').ended).toBe(0);
    expect(leftovers(folder, [attempt])).toEqual([]);
  });
});

describe('run', () => {
  it('exit codes, detached work, its log and its stop, and an interrupt', async () => {
    const fleet = await up();
    const codes = await Promise.all(
      ['exit 0', 'exit 7', 'kill -TERM $$', 'kill -KILL $$'].map(
        async (script) => cli('run', '-q', '--', 'sh', '-c', script).ended,
      ),
    );
    expect(codes).toEqual([0, 7, 143, 137]);
    expect(await cli('run', '-q', '--', 'no-such-program').ended).toBe(127);
    expect(await cli('run', '-q', '--sandbox', 'required', '--workdir', '/no/such', '--', 'true').ended).toBe(
      125,
    );

    const attempt = await background('followed');
    const follower = cli('workload', 'logs', '-f', 'followed');
    await follower.says(/^up$/m);
    expect(await cli('workload', 'stop', 'followed').ended).toBe(0);
    expect(await follower.ended).toBe(0);
    expect(processesOf([attempt])).toEqual([]);

    const interrupted = cli('run', '--name', 'interrupted', '--', 'sh', '-c', 'echo begun; sleep 311');
    await interrupted.says(/^begun$/m);
    interrupted.signalGroup('SIGINT');
    expect(await interrupted.ended).toBe(143);
    expect((await json<WorkloadView>('workload', 'status', 'interrupted')).state).toBe('cancelled');
    expect(processesOf(['sleep 311'])).toEqual([]);
    fleet.signal('SIGINT');
    expect(await fleet.ended).toBe(0);
    expect(await cli('run', '--', 'true').ended).toBe(125);
    expect(await cli('status').ended).toBe(2);
  });
});
