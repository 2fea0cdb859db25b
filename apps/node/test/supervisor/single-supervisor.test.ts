// Shows that a state folder has one supervisor, found again after any crash, replaced only when nothing runs.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { identityOf, isRunning, readBootId } from '../../src/supervisor/process-identity.ts';
import { until } from '../../src/testing/until.ts';
import { launchOf, logText, statusOf, SupervisorBench, untilEnded, untilState } from './bench.ts';

describe('a state folder', () => {
  it('has one supervisor, however many agents come at once', async () => {
    await using bench = new SupervisorBench();
    const clients = await Promise.all(Array.from({ length: 5 }, () => bench.connect()));
    expect(new Set(clients.map(({ pid }) => pid)).size).toBe(1);
    expect(statSync(bench.folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(bench.folder, 'supervisor.sock')).mode & 0o777).toBe(0o600);
    expect(statSync(join(bench.folder, 'supervisor.journal')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['whose pid has gone to another process', { pid: process.pid, startTicks: 1, bootId: readBootId() }],
    ['of before a restart of the machine', { ...identityOf(process.pid), bootId: 'earlier' }],
    ['of a dead process', { pid: 2 ** 22 + 5, startTicks: 1, bootId: readBootId() }],
  ])('with the lock and socket of a supervisor %s gets a new one', async (_, identity) => {
    await using bench = new SupervisorBench();
    const socketPath = join(bench.folder, 'supervisor.sock');
    await leaveStaleSocket(socketPath);
    writeFileSync(join(bench.folder, 'supervisor.lock'), JSON.stringify({ ...identity, socketPath }));
    mkdirSync(join(bench.folder, 'survivors'));
    const clients = await Promise.all([bench.connect(), bench.connect(), bench.connect()]);
    expect(new Set(clients.map(({ pid }) => pid)).size).toBe(1);
    expect(clients[0]?.pid).not.toBe(identity.pid);
  });

  it('with a lock of garbage gets a new supervisor', async () => {
    await using bench = new SupervisorBench();
    writeFileSync(join(bench.folder, 'supervisor.lock'), 'no JSON at all');
    expect((await bench.connect()).pid).toBeGreaterThan(0);
  });

  it('whose path is too long for a socket has it elsewhere, for its user only', async () => {
    await using bench = new SupervisorBench();
    const stateFolder = join(bench.folder, 'x'.repeat(100), 'y'.repeat(100));
    const client = await bench.connect({ stateFolder });
    const other = await bench.connect({ stateFolder });
    expect(other.pid).toBe(client.pid);
    const { socketPath } = JSON.parse(readFileSync(join(stateFolder, 'supervisor.lock'), 'utf8')) as {
      socketPath: string;
    };
    expect(Buffer.byteLength(socketPath)).toBeLessThan(108);
    expect(statSync(join(socketPath, '..')).mode & 0o777).toBe(0o700);
    await client.shutdown({ graceMs: 0 });
    expect(existsSync(socketPath)).toBe(false);
  });

  it('that cannot be written gives a helpful reason', async () => {
    await using bench = new SupervisorBench();
    writeFileSync(join(bench.folder, 'a-file'), '');
    await expect(bench.connect({ stateFolder: join(bench.folder, 'a-file', 'state') })).rejects.toThrow(
      'a-file',
    );
  });
});

describe('another version of the agent', () => {
  it('that is newer replaces an idle supervisor, and nothing is lost', async () => {
    await using bench = new SupervisorBench();
    const old = await bench.connect({ version: '1.2.9' });
    await old.launch(launchOf('one', 'echo kept; exit 6'));
    await untilEnded(old, 'one');
    const before = old.pid;
    await old[Symbol.asyncDispose]();
    const upgraded = await bench.connect({ version: '1.2.10' });
    expect(upgraded.pid).not.toBe(before);
    expect(await statusOf(upgraded, 'one')).toMatchObject({ state: 'exited', exitCode: 6 });
    expect(await logText(upgraded, 'one')).toBe('kept\n');
  });

  it('that is newer keeps a supervisor with workloads, and they run on', async () => {
    await using bench = new SupervisorBench();
    const old = await bench.connect({ version: '1.2.9' });
    await old.launch(launchOf('one', 'echo up; sleep 60'));
    await untilState(old, 'one', 'running');
    const upgraded = await bench.connect({ version: '2.0.0' });
    expect(upgraded.pid).toBe(old.pid);
    await upgraded.launch(launchOf('two', 'exit 3'));
    expect(await untilEnded(upgraded, 'two')).toMatchObject({ exitCode: 3 });
    expect(await statusOf(upgraded, 'one')).toMatchObject({ state: 'running' });
  });

  it('that is older uses the newer supervisor', async () => {
    await using bench = new SupervisorBench();
    const newer = await bench.connect({ version: '2.0.0' });
    expect((await bench.connect({ version: '1.0.0' })).pid).toBe(newer.pid);
  });

  it('with other settings replaces an idle supervisor; the agent that used it goes on with the new one', async () => {
    await using bench = new SupervisorBench();
    const first = await bench.connect();
    const before = first.pid;
    const second = await bench.connect({ maxAttempts: 7 });
    expect(second.pid).not.toBe(before);
    await first.launch(launchOf('one', 'exit 3'));
    expect(await untilEnded(first, 'one')).toMatchObject({ exitCode: 3 });
    expect(first.pid).toBe(second.pid);
  });
});

describe('a shutdown', () => {
  it('stops everything gracefully, then ends; the ends are there for the next agent', async () => {
    await using bench = new SupervisorBench();
    const supervisor = await bench.connect();
    await supervisor.launch(launchOf('one', 'sleep 60'));
    await supervisor.launch(launchOf('two', 'true', { image: 'endless' }));
    await untilState(supervisor, 'one', 'running');
    const identity = identityOf(supervisor.pid ?? 0);
    await supervisor.shutdown({ graceMs: 5000 });
    expect(isRunning(identity)).toBe(false);
    expect(existsSync(join(bench.folder, 'supervisor.sock'))).toBe(false);
    const next = await bench.connect();
    expect(await statusOf(next, 'one')).toMatchObject({
      state: 'killed',
      signal: 'SIGTERM',
      reason: 'stopped',
    });
    expect(await statusOf(next, 'two')).toMatchObject({ state: 'killed', reason: 'stopped' });
  });

  it('is not undone by another agent, which starts a supervisor when it has a use for it', async () => {
    await using bench = new SupervisorBench();
    const other = await bench.connect();
    const lost: string[] = [];
    other.onLost((reason) => lost.push(reason));
    const supervisor = await bench.connect({ owner: 'node-2' });
    const before = supervisor.pid;
    await supervisor.shutdown({ graceMs: 0 });
    await until('the other agent has noticed', () => other.pid === undefined);
    expect(existsSync(join(bench.folder, 'supervisor.sock'))).toBe(false);
    await other.launch(launchOf('one', 'exit 3'));
    expect(await untilEnded(other, 'one')).toMatchObject({ exitCode: 3 });
    expect(other.pid).not.toBe(before);
    expect(lost).toEqual([]);
  });

  it('by SIGTERM to the supervisor itself is graceful too; SIGINT and SIGHUP are not for it', async () => {
    await using bench = new SupervisorBench();
    const supervisor = await bench.connect();
    const { pid = 0 } = supervisor;
    await supervisor.launch(launchOf('one', 'sleep 60'));
    await untilState(supervisor, 'one', 'running');
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGHUP');
    await supervisor.launch(launchOf('two', 'exit 0'));
    await untilEnded(supervisor, 'two');
    expect(supervisor.pid).toBe(pid);
    const identity = identityOf(pid);
    process.kill(pid, 'SIGTERM');
    await until('it has ended', () => !isRunning(identity));
    expect(await untilEnded(supervisor, 'one')).toMatchObject({ signal: 'SIGTERM', reason: 'stopped' });
  });
});

/** A socket file that nobody listens on: closing a server removes its own, so this is a hard link. */
async function leaveStaleSocket(path: string): Promise<void> {
  const { linkSync } = await import('node:fs');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.real`, resolve));
  linkSync(`${path}.real`, path);
  await new Promise((resolve) => server.close(resolve));
}
