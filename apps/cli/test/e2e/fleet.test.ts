// Shows every command against a real gateway and node: outputs, exit codes, JSON, pipes and interrupts.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { EventView, NodeView, WorkloadView } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './cli-process.ts';
import { TestFleet } from './test-fleet.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await TestFleet.open('--simulate-gpus', '2xH100', '--name', 'test-node');
});
afterAll(() => fleet[Symbol.asyncDispose]());

const sh = (script: string): string[] => ['--', 'sh', '-c', script];

async function stateOf(workload: string): Promise<string> {
  return (await fleet.json<WorkloadView>(['workload', 'status', workload])).state;
}

async function whenRunning(workload: string): Promise<void> {
  await eventually(
    async () => (await stateOf(workload)) === 'running',
    () => `${workload} does not run`,
  );
}

describe('run', () => {
  it('passes stdout, stderr and the exit code through, and says on stderr how it went', async () => {
    const result = await fleet.run(['run', ...sh('echo out; echo err >&2; exit 3')]);
    expect(result.code).toBe(3);
    expect(result.stdout).toBe('out\n');
    expect(result.stderr).toMatch(/^err\n✗ \S+ failed \(exit code 3\) after .* on test-node/);
  });

  it('is silent with --quiet and binary-safe', async () => {
    const result = await fleet.run(['run', '-q', ...sh(String.raw`printf '\000\377\200x'`)]);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect([...result.stdoutBytes]).toEqual([0, 255, 128, 120]);
  });

  it('gives 128+n for a signal, 127 for a missing program, 143 for a time limit', async () => {
    expect(await fleet.run(['run', ...sh('kill -9 $$')])).toMatchObject({ code: 137 });
    const missing = await fleet.run(['run', '--', 'no-such-program']);
    expect(missing).toMatchObject({ code: 127, stderr: expect.stringContaining('command not found') });
    const late = await fleet.run(['run', '--timeout', '300ms', '--stop-grace', '5s', '--', 'sleep', '60']);
    expect(late).toMatchObject({ code: 143, stderr: expect.stringContaining('timeout') });
  });

  it('runs in the caller’s folder with the environment asked for', async () => {
    await writeFile(path.join(fleet.folder, 'greet.sh'), 'echo "$GREETING $NAME $OWN"');
    await writeFile(path.join(fleet.folder, 'some.env'), '# comment\nGREETING=file\nNAME=file\n');
    const args = [
      'run',
      '-q',
      '--env-file',
      'some.env',
      '-e',
      'NAME=option',
      '-e',
      'OWN',
      '--',
      'sh',
      'greet.sh',
    ];
    const { stdout, stderr } = await fleet.run(args, { env: { OWN: 'mine' } });
    expect(stderr).toBe('');
    expect(stdout).toBe('file option mine\n');
  });

  it('reserves simulated GPUs and says that they are simulated', async () => {
    const { code, stderr } = await fleet.run(['run', '--gpus', '2', '--gpu-type', 'h100', '--', 'true']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/GPUs \S+ \S+ \(simulated\)/);
  });

  it('answers one JSON document with the log', async () => {
    const { stdout } = await fleet.run(['run', '-f', 'json', ...sh('echo hi; echo no >&2')]);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'succeeded',
      exitCode: 0,
      logs: expect.arrayContaining([
        expect.objectContaining({ stream: 'stdout', data: 'hi\n', encoding: 'utf8' }),
        expect.objectContaining({ stream: 'stderr', data: 'no\n' }),
      ]),
    });
  });

  it('explains why it waits, and an interrupt takes it back with exit code 130', async () => {
    const run = fleet.start(['run', '--name', 'too-big', '--gpus', '3', '--', 'true']);
    await run.until(({ stderr }) => /too-big waits: .*GPU/.test(stderr));
    run.kill('SIGINT');
    const { code, stderr } = await run.result;
    expect(code).toBe(130);
    expect(stderr).toContain('too-big cancelled');
  });

  it('stops the workload on the first interrupt where nobody can be asked', async () => {
    const run = fleet.start(['run', '--name', 'to-stop', ...sh('echo begun; sleep 60')]);
    await run.until(({ stdout }) => stdout === 'begun\n');
    run.kill('SIGINT');
    expect(await run.result).toMatchObject({
      code: 143,
      stderr: expect.stringContaining('Stopping to-stop'),
    });
    expect(await stateOf('to-stop')).toBe('cancelled');
  });

  it('refuses what the gateway refuses, with exit code 5 and the place of the mistake', async () => {
    const { code, stderr } = await fleet.run(['run', '--name', 'Not A Name', '--', 'true']);
    expect(code).toBe(5);
    expect(stderr).toContain('--name: must be');
  });
});

describe('workload', () => {
  it('detached: follow, tail, streams, stop, and logs after the end', async () => {
    const script =
      'echo one; echo two >&2; echo three; while [ ! -e go ]; do sleep 0.05; done; echo four; sleep 60';
    const { stdout: id, code } = await fleet.run(['run', '-d', '--name', 'talker', ...sh(script)]);
    expect(code).toBe(0);
    expect(id).toMatch(/^wl-\w+\n$/);
    await whenRunning('talker');
    const follow = fleet.start(['workload', 'logs', '-f', 'talker']);
    await follow.until(({ stdout }) => stdout === 'one\nthree\n');
    await writeFile(path.join(fleet.folder, 'go'), '');
    await follow.until(({ stdout }) => stdout.endsWith('four\n'));
    expect(await fleet.run(['workload', 'stop', 'talker'])).toMatchObject({ code: 0 });
    expect(await follow.result).toMatchObject({ code: 0, stderr: expect.stringContaining('two') });
    expect(await fleet.run(['workload', 'logs', 'talker', '--tail', '1'])).toMatchObject({
      stdout: 'four\n',
    });
    const errors = await fleet.run(['workload', 'logs', 'talker', '--stream', 'stderr']);
    expect(errors).toMatchObject({ stdout: '', stderr: 'two\n' });
    const stamped = await fleet.run(['workload', 'logs', '-t', 'talker', '--stream', 'stdout']);
    expect(stamped.stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z one\n\d{4}\S+ three\n\d{4}\S+ four\n$/);
    const { stdout } = await fleet.run(['workload', 'logs', '--format', 'json', 'talker']);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { data: string }).data)
        .join(''),
    ).toContain('four');
  });

  it('exec, stats, inspect, list', async () => {
    await fleet.run(['run', '-d', '--name', 'host-of-exec', ...sh('sleep 60')]);
    await whenRunning('host-of-exec');
    const exec = await fleet.run(['exec', 'host-of-exec', ...sh('echo inside; echo bad >&2; exit 7')]);
    expect(exec).toMatchObject({ code: 7, stdout: 'inside\n', stderr: 'bad\n' });
    const stats = await fleet.json<{ processes: number }>(['workload', 'stats', 'host-of-exec']);
    expect(stats.processes).toBeGreaterThan(0);
    const view = await fleet.json<{ attempts: unknown[]; events: EventView[] }>([
      'workload',
      'inspect',
      'host-of-exec',
    ]);
    expect(view.attempts).toHaveLength(1);
    expect(view.events.map(({ type }) => type)).toContain('workload.running');
    const table = await fleet.run(['workload', 'inspect', 'host-of-exec']);
    expect(table.stdout).toMatch(/ATTEMPTS\nNUMBER[\s\S]*EVENTS/);
    const list = await fleet.run(['workload', 'list', '--state', 'running']);
    expect(list.stdout).toMatch(/NAME +ID +STATE[\s\S]*host-of-exec/);
    expect(await fleet.run(['workload', 'stop', '--force', 'host-of-exec'])).toMatchObject({ code: 0 });
    await eventually(
      async () => (await stateOf('host-of-exec')) === 'cancelled',
      () => 'not stopped',
    );
    expect(await fleet.run(['exec', 'host-of-exec', '--', 'true'])).toMatchObject({ code: 1 });
  });

  it('output that nobody reads any more is no failure', async () => {
    await fleet.run(['run', '-q', '--name', 'wordy', ...sh('seq 1 200000')]);
    const bin = path.resolve(import.meta.dirname, '../../bin/clawbernetes.js');
    const script = `{ "$0" "$1" workload logs wordy; echo "code $?" >&2; } | head -n 1`;
    const { spawnSync } = await import('node:child_process');
    const piped = spawnSync('sh', ['-c', script, process.execPath, bin], {
      env: { PATH: process.env['PATH'], CLAWBERNETES_HOME: fleet.home },
    });
    expect(piped.stdout.toString()).toBe('1\n');
    expect(piped.stderr.toString()).toBe('code 0\n');
  });
});

describe('fleet', () => {
  it('status, node list and info say that the GPUs are simulated', async () => {
    const status = await fleet.json<{ gpus: object }>(['status']);
    expect(status.gpus).toMatchObject({ total: 2, simulated: 2 });
    expect((await fleet.run(['status'])).stdout).toMatch(/2 simulated/);
    const { nodes } = await fleet.json<{ nodes: NodeView[] }>(['node', 'list']);
    expect(nodes).toMatchObject([{ name: 'test-node', simulated: true }]);
    expect((await fleet.run(['node', 'list'])).stdout).toMatch(/test-node \(simulated\) +schedulable/);
    expect((await fleet.run(['node', 'info', 'test-node'])).stdout).toMatch(/GPUs +0: .*simulated/);
    expect(await fleet.run(['node', 'pending'])).toMatchObject({ stdout: 'No node waits for approval.\n' });
  });

  it('a drained node takes no work until it is undrained', async () => {
    expect(await fleet.run(['node', 'drain', 'test-node'])).toMatchObject({ code: 0 });
    const { stdout } = await fleet.run(['run', '-d', '--name', 'patient', '--', 'true']);
    expect(await stateOf(stdout.trim())).toBe('queued');
    expect(await fleet.run(['node', 'undrain', 'test-node'])).toMatchObject({ code: 0 });
    await eventually(
      async () => (await stateOf('patient')) === 'succeeded',
      () => 'patient did not run',
    );
  });

  it('join tokens go to stdout alone, so that they can be captured', async () => {
    const { code, stdout, stderr } = await fleet.run(['node', 'token', '--lifetime', '1m']);
    expect(code).toBe(0);
    expect(stdout.trim()).toMatch(/^\S{20,}$/);
    expect(stderr).toContain('--join-token-file');
  });

  it('config: create, update with expectation, versions, list, watch, delete', async () => {
    const watch = fleet.start(['config', 'watch', 'limits/', '--format', 'json']);
    expect(await fleet.run(['config', 'create', 'limits/gpus', '8'])).toMatchObject({ code: 0 });
    let value = 8;
    // The watch begins at some moment; changes go on until it shows one.
    await eventually(
      async () => {
        value += 1;
        await fleet.run(['config', 'update', 'limits/gpus', String(value)]);
        return watch.stdout.includes('\n');
      },
      () => watch.stderr,
    );
    watch.kill('SIGTERM');
    expect(JSON.parse(watch.stdout.split('\n')[0] ?? '')).toMatchObject({
      type: expect.stringMatching(/^config\.(created|updated)$/),
      key: 'limits/gpus',
    });
    expect(await fleet.run(['config', 'get', 'limits/gpus'])).toMatchObject({ stdout: `${value}\n` });
    expect(await fleet.run(['config', 'get', 'limits/gpus', '--version', '1'])).toMatchObject({
      stdout: '8\n',
    });
    const stale = await fleet.run(['config', 'update', 'limits/gpus', '1', '--expected-version', '1']);
    expect(stale).toMatchObject({ code: 1 });
    expect((await fleet.run(['config', 'list', 'limits/'])).stdout).toMatch(/limits\/gpus +\d/);
    expect(await fleet.run(['config', 'delete', 'limits/gpus'])).toMatchObject({ code: 0 });
    expect(await fleet.run(['config', 'get', 'limits/gpus'])).toMatchObject({ code: 4 });
  });

  it('events: the last ones, and new ones as they come', async () => {
    const { events } = await fleet.json<{ events: EventView[] }>(['events', '--tail', '3']);
    expect(events).toHaveLength(3);
    const follow = fleet.start(['events', '-f', '--tail', '0', '--format', 'json']);
    await eventually(
      async () => {
        await fleet.run(['run', '-q', '--', 'true']);
        return follow.stdout.includes('workload.succeeded');
      },
      () => follow.stderr,
    );
    follow.kill('SIGTERM');
    expect(await follow.result).toMatchObject({ code: 143 });
  });

  it('invoke takes JSON from the arguments or stdin', async () => {
    const fromArguments = await fleet.run(['invoke', 'node.info', '{"node":"test-node"}']);
    expect(JSON.parse(fromArguments.stdout)).toMatchObject({ name: 'test-node' });
    const fromStdin = await fleet.run(['invoke', 'node.info', '-'], { input: '{"node":"test-node"}' });
    const withoutHeartbeat = (text: string): string => text.replace(/"lastSeenAtMs": \d+/, '');
    expect(withoutHeartbeat(fromStdin.stdout)).toBe(withoutHeartbeat(fromArguments.stdout));
    const wrong = await fleet.run(['invoke', 'node.info', '{"nod":"x"}']);
    expect(wrong.code).toBe(5);
    expect(wrong.stderr).toContain('node');
  });

  it('exit codes 3 and 4, and the token only goes to its own gateway', async () => {
    expect(await fleet.run(['workload', 'status', 'nobody'])).toMatchObject({ code: 4 });
    expect(await fleet.run(['node', 'info', 'nobody'])).toMatchObject({ code: 4 });
    const wrong = await fleet.run(['status'], { env: { CLAWBERNETES_TOKEN: 'wrong' } });
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining('CLAWBERNETES_TOKEN') });
    const elsewhere = await fleet.run(['status', '-g', fleet.url.replace('127.0.0.1', '0.0.0.0')]);
    expect(elsewhere).toMatchObject({ code: 3 });
    const told = await fleet.run(['token']);
    expect(told.stdout).toContain('owner.token');
    expect(told.stdout).not.toMatch(/claw_[a-z0-9]{20}/);
  });
});
