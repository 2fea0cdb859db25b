// Shows the life of attempts in a real supervisor process: starts, ends, stops, refusals, logs, owners.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttemptStatus } from '@clawbernetes/protocol';
import type { SocketSupervisor } from '../../src/supervisor/socket-supervisor.ts';
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

let bench: SupervisorBench;
let supervisor: SocketSupervisor;
const told: AttemptStatus[] = [];
beforeAll(async () => {
  bench = new SupervisorBench();
  supervisor = await bench.connect({ maxAttempts: 60 });
  supervisor.onStatus((status) => told.push(status));
});
afterAll(() => bench[Symbol.asyncDispose]());

function revisions(attemptId: string): string[] {
  const own = told.filter((status) => status.attemptId === attemptId);
  return own.map(({ revision, state }) => `${revision} ${state}`);
}

describe('an attempt', () => {
  it('runs to its end: its code, its output in order, its times, each step told once', async () => {
    const accepted = await supervisor.launch(launchOf('plain', 'echo one; echo two >&2; exit 3'));
    expect(accepted).toMatchObject({
      attemptId: 'plain',
      state: 'accepted',
      revision: 1,
      epoch: { term: 1, counter: 1 },
    });
    const end = await untilEnded(supervisor, 'plain');
    expect(end).toMatchObject({ state: 'exited', exitCode: 3, revision: 3, limitations: ['unsandboxed'] });
    expect(end.finishedAtMs).toBeGreaterThanOrEqual(end.startedAtMs ?? Infinity);
    expect(end.startedAtMs).toBeGreaterThanOrEqual(end.acceptedAtMs);
    expect(await logText(supervisor, 'plain', ['stdout'])).toBe('one\n');
    expect(await logText(supervisor, 'plain', ['stderr'])).toBe('two\n');
    expect((await supervisor.readLog('plain', 0, 1000)).end).toBe(end.logEnd);
    expect(revisions('plain')).toEqual(['2 running', '3 exited']);
  });

  it('that dies by a signal was killed', async () => {
    await supervisor.launch(launchOf('signal', 'kill -SEGV $$'));
    const end = await untilEnded(supervisor, 'signal');
    expect(end).toMatchObject({ state: 'killed', signal: 'SIGSEGV' });
    expect(end.reason).toBeUndefined();
  });

  it('that prints nothing leaves no log', async () => {
    await supervisor.launch(launchOf('silent', ['/bin/true']));
    expect(await untilEnded(supervisor, 'silent')).toMatchObject({ exitCode: 0, logEnd: 0 });
    expect(await supervisor.readLog('silent', 0, 100)).toEqual({
      position: 0,
      records: Buffer.alloc(0),
      end: 0,
    });
  });

  it('whose last words come just before its end has them in its log when the end is told', async () => {
    for (let index = 0; index < 10; index += 1) {
      const attemptId = `words-${index}`;
      await supervisor.launch(launchOf(attemptId, `printf 'last words %s' ${index}; exit 1`));
      await until('the end was told', () =>
        told.some((s) => s.attemptId === attemptId && s.state === 'exited'),
      );
      expect(await logText(supervisor, attemptId)).toBe(`last words ${index}`);
    }
  });

  it('whose program is absent ends with that reason', async () => {
    await supervisor.launch(launchOf('absent-program', ['no-such-program-anywhere']));
    const end = await untilEnded(supervisor, 'absent-program');
    expect(end).toMatchObject({ state: 'killed', reason: 'command-not-found' });
    expect(end.message).toContain('no-such-program-anywhere');
  });

  it('whose image is absent ends with that reason', async () => {
    await supervisor.launch(launchOf('absent-image', 'true', { image: 'absent' }));
    expect(await untilEnded(supervisor, 'absent-image')).toMatchObject({
      state: 'killed',
      reason: 'image-not-found',
    });
  });

  it('is stopped politely, and by force after its grace', async () => {
    await supervisor.launch(launchOf('polite', politeProgram('bye', 0, 0)));
    await supervisor.launch(launchOf('deaf', 'trap "" TERM; echo up; while :; do sleep 0.01; done'));
    for (const attemptId of ['polite', 'deaf']) {
      await until(`${attemptId} is up`, async () => (await logText(supervisor, attemptId)).includes('up'));
    }
    await supervisor.stop('polite', { graceMs: 30_000 });
    await supervisor.stop('deaf', { graceMs: 100 });
    expect(await untilEnded(supervisor, 'polite')).toMatchObject({
      state: 'killed',
      exitCode: 0,
      reason: 'stopped',
    });
    expect(await logText(supervisor, 'polite')).toContain('bye');
    const deaf = await untilEnded(supervisor, 'deaf');
    expect(deaf).toMatchObject({ state: 'killed', signal: 'SIGKILL', reason: 'stopped' });
    expect(revisions('deaf')).toEqual(['2 running', '3 stopping', '4 killed']);
  });

  it('is stopped while it prepares, even if that is deaf', async () => {
    await supervisor.launch(launchOf('pulling', 'true', { image: 'endless' }));
    await untilState(supervisor, 'pulling', 'preparing');
    await supervisor.stop('pulling', { graceMs: 0 });
    const end = await untilEnded(supervisor, 'pulling');
    expect(end).toMatchObject({ state: 'killed', reason: 'stopped' });
    expect(end.startedAtMs).toBeUndefined();
  });

  it('is stopped in the same breath as it is launched, and while it starts', async () => {
    const launched = supervisor.launch(launchOf('at-once', 'sleep 60'));
    await supervisor.stop('at-once', { graceMs: 0 });
    await launched;
    expect(await untilEnded(supervisor, 'at-once')).toMatchObject({ state: 'killed', reason: 'stopped' });
    await supervisor.launch(launchOf('starting', 'sleep 60', { env: { START_DELAY_MS: '300' } }));
    await supervisor.stop('starting', { graceMs: 0 });
    expect((await statusOf(supervisor, 'starting'))?.state).toBe('stopping');
    expect(await untilEnded(supervisor, 'starting')).toMatchObject({ state: 'killed', reason: 'stopped' });
  });

  it('is stopped at its time limit', async () => {
    await supervisor.launch(launchOf('timed', 'sleep 60', { timeoutMs: 50 }));
    const end = await untilEnded(supervisor, 'timed');
    expect(end).toMatchObject({ state: 'killed', reason: 'timeout', signal: 'SIGTERM' });
    expect(end.message).toContain('time limit of 50ms');
    await supervisor.launch(launchOf('patient', 'exit 0', { timeoutMs: 300 * 24 * 3600 * 1000 }));
    expect(await untilEnded(supervisor, 'patient')).toMatchObject({ state: 'exited', exitCode: 0 });
  });

  it('answers exec and stats while it runs and refuses them after', async () => {
    await supervisor.launch(launchOf('served', 'sleep 60'));
    await untilState(supervisor, 'served', 'running');
    const request = {
      command: ['sh', '-c', 'echo out; echo err >&2; exit 4'],
      env: {},
      timeoutMs: 5000,
      maxOutputBytes: 99,
    };
    const result = await supervisor.exec('served', request);
    expect({ ...result, stdout: String(result.stdout), stderr: String(result.stderr) }).toEqual({
      exitCode: 4,
      stdout: 'out\n',
      stderr: 'err\n',
      truncated: false,
      timedOut: false,
    });
    expect(await supervisor.stats('served')).toEqual({ cpuMs: 1, memoryBytes: 2, processes: 1 });
    await supervisor.stop('served', { graceMs: 0 });
    await untilEnded(supervisor, 'served');
    await expect(supervisor.exec('served', request)).rejects.toMatchObject({ code: 'attempt-not-running' });
    await expect(supervisor.stats('unknown')).rejects.toMatchObject({ code: 'attempt-not-running' });
  });
});

describe('a launch', () => {
  it('that comes twice runs once, while it runs and after', async () => {
    const launch = launchOf('twice', 'echo ran');
    const [first, second] = await Promise.all([supervisor.launch(launch), supervisor.launch(launch)]);
    expect(second).toEqual(first);
    const end = await untilEnded(supervisor, 'twice');
    expect(await supervisor.launch(launch)).toEqual(end);
    expect(await logText(supervisor, 'twice')).toBe('ran\n');
  });

  it('of an epoch older than one seen for the workload is refused, an equal or newer one is not', async () => {
    const of = (attemptId: string, term: number, counter: number) =>
      launchOf(attemptId, ['/bin/true'], {}, { workloadId: 'w-epochs', epoch: { term, counter } });
    await supervisor.launch(of('epoch-2.5', 2, 5));
    await expect(supervisor.launch(of('epoch-1.9', 1, 9))).rejects.toMatchObject({ code: 'stale-epoch' });
    await expect(supervisor.launch(of('epoch-2.4', 2, 4))).rejects.toMatchObject({ code: 'stale-epoch' });
    await supervisor.launch(of('epoch-2.5-again', 2, 5));
    await supervisor.launch(of('epoch-3.0', 3, 0));
    for (const attemptId of ['epoch-2.5', 'epoch-2.5-again', 'epoch-3.0'])
      await untilEnded(supervisor, attemptId);
    await supervisor.forget(['epoch-2.5', 'epoch-2.5-again', 'epoch-3.0']);
    await expect(supervisor.launch(of('epoch-2.6', 2, 6))).rejects.toMatchObject({ code: 'stale-epoch' });
  });

  it('that comes late, after its attempt has ended and was forgotten, does not run it again', async () => {
    const launch = launchOf('late', 'echo once');
    await supervisor.launch(launch);
    await untilEnded(supervisor, 'late');
    await supervisor.forget(['late']);
    await expect(supervisor.launch(launch)).rejects.toMatchObject({ code: 'stale-epoch' });
    expect(await statusOf(supervisor, 'late')).toBeUndefined();
  });

  it('with an id that is no id, or without a spec, is refused', async () => {
    const request = { code: 'supervisor-request' };
    for (const id of ['../../etc', '', 'a/b', '.hidden', 'x'.repeat(200)]) {
      await expect(supervisor.launch(launchOf(id, 'true'))).rejects.toMatchObject(request);
    }
    await expect(supervisor.launch({ ...launchOf('x', 'true'), spec: {} as never })).rejects.toMatchObject(
      request,
    );
  });
});

describe('attempts', () => {
  it('are forgotten with their logs once they have ended, not before', async () => {
    await supervisor.launch(launchOf('gone', 'echo text'));
    await supervisor.launch(launchOf('stays', 'echo text; sleep 60'));
    await untilEnded(supervisor, 'gone');
    await until('it prints', async () => (await logText(supervisor, 'stays')) === 'text\n');
    await supervisor.forget(['gone', 'stays', 'unknown']);
    expect(await statusOf(supervisor, 'gone')).toBeUndefined();
    expect(await logText(supervisor, 'gone')).toBe('');
    expect(await statusOf(supervisor, 'stays')).toMatchObject({ state: 'running' });
    expect(await logText(supervisor, 'stays')).toBe('text\n');
    await supervisor.stop('stays', { graceMs: 0 });
    await untilEnded(supervisor, 'stays');
  });

  it('are seen by the agent of their owner only', async () => {
    const other = await bench.connect({ maxAttempts: 60, owner: 'node-2' });
    expect(other.pid).toBe(supervisor.pid);
    const seen: string[] = [];
    other.onStatus(({ attemptId }) => seen.push(attemptId));
    await supervisor.launch(launchOf('mine', 'echo mine; sleep 60'));
    await other.launch(launchOf('theirs', 'echo theirs'));
    await untilEnded(other, 'theirs');
    await untilState(supervisor, 'mine', 'running');
    expect((await other.list()).map(({ attemptId }) => attemptId)).toEqual(['theirs']);
    expect(await statusOf(supervisor, 'theirs')).toBeUndefined();
    expect(await logText(other, 'mine')).toBe('');
    await other.stop('mine', { graceMs: 0 });
    await other.forget(['mine']);
    await expect(other.stats('mine')).rejects.toMatchObject({ code: 'attempt-not-running' });
    await expect(other.launch(launchOf('mine', 'true'))).rejects.toMatchObject({
      code: 'attempt-of-other-owner',
    });
    expect(await statusOf(supervisor, 'mine')).toMatchObject({ state: 'running' });
    expect(new Set(seen)).toEqual(new Set(['theirs']));
    await supervisor.stop('mine', { graceMs: 0 });
    await untilEnded(supervisor, 'mine');
  });

  it('tell that their logs grow', async () => {
    const ends: number[] = [];
    supervisor.onLog((attemptId, end) => attemptId === 'growing' && ends.push(end));
    await supervisor.launch(launchOf('growing', 'for i in 1 2 3; do echo $i; sleep 0.05; done'));
    const { logEnd } = await untilEnded(supervisor, 'growing');
    await until('the end of the log was told', () => ends.at(-1) === logEnd);
    expect(ends.toSorted((left, right) => left - right)).toEqual(ends);
  });

  it('are limited in number', async () => {
    const kept = (await supervisor.list()).length;
    const more = Array.from({ length: 60 }, (_, index) =>
      supervisor.launch(launchOf(`many-${index}`, ['/bin/true'])),
    );
    const results = await Promise.allSettled(more);
    const refused = results.filter(({ status }) => status === 'rejected');
    const others = 60 - kept - (results.length - refused.length);
    expect(others).toBeGreaterThanOrEqual(0);
    expect(others).toBeLessThanOrEqual(1);
    expect(refused[0]).toMatchObject({ reason: { code: 'too-many-attempts' } });
    await until('all have ended', async () =>
      (await supervisor.list()).every(({ state }) => state !== 'running'),
    );
    await supervisor.forget((await supervisor.list()).map(({ attemptId }) => attemptId));
    await supervisor.launch(launchOf('room-again', ['/bin/true']));
  });
});
