// Shows what kill -9 of the supervisor does in every state of its workloads: nothing is left or made up.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { identityOf, isRunning } from '../../src/supervisor/process-identity.ts';
import type { SocketSupervisor } from '../../src/supervisor/socket-supervisor.ts';
import { until } from '../../src/testing/until.ts';
import { launchOf, logText, statusOf, SupervisorBench, untilEnded, untilState } from './bench.ts';
import { marked } from './plain-executors.ts';

function killSupervisor({ pid = 0 }: SocketSupervisor): void {
  process.kill(pid, 'SIGKILL');
}

const untilPrinted = (supervisor: SocketSupervisor, attemptId: string, text: string) =>
  until(`${attemptId} prints ${text}`, async () => (await logText(supervisor, attemptId)).includes(text));

describe('kill -9 of the supervisor', () => {
  it('ends plain processes, in whatever state, says so, and keeps what had ended', async () => {
    await using bench = new SupervisorBench();
    const supervisor = await bench.connect();
    const lost: string[] = [];
    const told: string[] = [];
    supervisor.onLost((reason) => lost.push(reason));
    supervisor.onStatus(({ attemptId, state }) => told.push(`${attemptId} ${state}`));
    await supervisor.launch(launchOf('ended', 'echo done; exit 5'));
    await supervisor.launch(launchOf('running', 'echo first; sleep 60 & sleep 60'));
    await supervisor.launch(launchOf('stopping', 'trap "" TERM; echo up; while :; do sleep 0.01; done'));
    await untilPrinted(supervisor, 'running', 'first');
    await untilPrinted(supervisor, 'stopping', 'up');
    await supervisor.stop('stopping', { graceMs: 60_000 });
    const ended = await untilEnded(supervisor, 'ended');
    await supervisor.launch(launchOf('accepted', 'sleep 60', { env: { START_DELAY_MS: '400' } }));
    const { pid } = supervisor;
    killSupervisor(supervisor);

    const ends = await Promise.all(
      ['running', 'stopping', 'accepted'].map((attemptId) => untilEnded(supervisor, attemptId)),
    );
    expect(supervisor.pid).not.toBe(pid);
    for (const end of ends) expect(end).toMatchObject({ state: 'killed', reason: 'supervisor-lost' });
    expect(ends[0]?.message).toContain('supervisor died');
    expect(['running', 'stopping', 'accepted'].flatMap(marked)).toEqual([]);
    expect(await statusOf(supervisor, 'ended')).toEqual(ended);
    expect(await logText(supervisor, 'ended')).toBe('done\n');
    expect(await logText(supervisor, 'running')).toBe('first\n');
    await until('the loss was told', () => lost.length === 1);
    expect(lost[0]).toContain(String(pid));
    await until(
      'the ends were told',
      () => told.includes('running killed') && told.includes('stopping killed'),
    );
    await supervisor.launch(launchOf('after', 'echo again'));
    expect(await untilEnded(supervisor, 'after')).toMatchObject({ state: 'exited', exitCode: 0 });
  });

  it('leaves what outlives it running: it is taken over, with its output, its end and orders to stop it', async () => {
    await using bench = new SupervisorBench();
    const supervisor = await bench.connect();
    const gate = join(bench.folder, 'gate');
    const script = `echo first; while [ ! -e ${gate} ]; do sleep 0.02; done; echo last; exit 8`;
    const container = (attemptId: string, text: string, image = 'here') =>
      supervisor.launch(launchOf(attemptId, text, { image }));
    await container('survivor', script);
    await container('preparing', 'true', 'endless');
    await container('stopped', 'sleep 60');
    await untilState(supervisor, 'survivor', 'running');
    await untilState(supervisor, 'stopped', 'running');
    await untilState(supervisor, 'preparing', 'preparing');
    const before = await statusOf(supervisor, 'survivor');
    killSupervisor(supervisor);

    const end = await untilEnded(supervisor, 'preparing');
    expect(end).toMatchObject({ state: 'killed', reason: 'supervisor-lost' });
    expect(await statusOf(supervisor, 'survivor')).toMatchObject({
      state: 'running',
      startedAtMs: before?.startedAtMs,
    });
    await supervisor.stop('stopped', { graceMs: 0 });
    expect(await untilEnded(supervisor, 'stopped')).toMatchObject({ state: 'killed', reason: 'stopped' });
    writeFileSync(gate, '');
    expect(await untilEnded(supervisor, 'survivor')).toMatchObject({ state: 'exited', exitCode: 8 });
    expect(await logText(supervisor, 'survivor')).toContain('last\n');
    expect(await logText(supervisor, 'survivor', ['notice'])).toContain('supervisor was restarted');
  });

  it('with a time limit running: it ends what was taken over in time', async () => {
    await using bench = new SupervisorBench();
    const supervisor = await bench.connect();
    await supervisor.launch(launchOf('timed', 'sleep 60', { image: 'here', timeoutMs: 1500 }));
    await untilState(supervisor, 'timed', 'running');
    killSupervisor(supervisor);
    const end = await untilEnded(supervisor, 'timed');
    expect(end).toMatchObject({ state: 'killed', reason: 'timeout' });
    expect((end.finishedAtMs ?? 0) - (end.startedAtMs ?? 0)).toBeGreaterThanOrEqual(1500);
  });

  it('over and over under load: every accepted attempt has exactly one end', async () => {
    await using bench = new SupervisorBench();
    const supervisor = await bench.connect();
    const accepted: string[] = [];
    const launchAll = async (): Promise<void> => {
      for (let index = 0; index < 60; index += 1) {
        const attemptId = `busy-${index}`;
        await supervisor.launch(launchOf(attemptId, `echo ${attemptId}`));
        accepted.push(attemptId);
      }
    };
    const launching = launchAll();
    for (const count of [10, 25, 40]) {
      await until(`${count} were accepted`, () => accepted.length >= count);
      killSupervisor(supervisor);
      await until('it is back', async () => (await supervisor.list()).length >= count);
    }
    await launching;
    for (const attemptId of accepted) {
      const end = await untilEnded(supervisor, attemptId);
      if (end.state === 'exited') expect(await logText(supervisor, attemptId)).toBe(`${attemptId}\n`);
      else expect(end).toMatchObject({ state: 'killed', reason: 'supervisor-lost' });
    }
    expect(accepted).toHaveLength(60);
  }, 60_000);

  it('and a restart of the machine: the reason is that, and pids of before are not touched', async () => {
    await using bench = new SupervisorBench();
    const first = await bench.connect();
    await first.launch(launchOf('process', 'echo up; sleep 60'));
    await untilPrinted(first, 'process', 'up');
    const identity = identityOf(first.pid ?? 0);
    await first[Symbol.asyncDispose]();
    killSupervisor(first);
    await until('it is dead', () => !isRunning(identity));
    const journal = join(bench.folder, 'supervisor.journal');
    writeFileSync(journal, readFileSync(journal, 'utf8').replace(/"bootId":"[^"]*"/, '"bootId":"earlier"'));
    const leftovers = marked('process');
    expect(leftovers.length).toBeGreaterThan(0);

    const second = await bench.connect();
    const end = await untilEnded(second, 'process');
    expect(end).toMatchObject({ state: 'killed', reason: 'node-restarted' });
    expect(marked('process')).toEqual(leftovers);
    for (const pid of leftovers) process.kill(pid, 'SIGKILL');
  });
});
