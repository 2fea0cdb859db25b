// Shows that however a workload behaves or was mistaken, its output and end are exact and nothing of it
// stays.
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { processesOf } from './support/leftovers.ts';
import { RealFleet, type Inspection } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open();
});
afterAll(() => fleet[Symbol.asyncDispose]());

const bwrapMissing = existsSync('/usr/bin/bwrap')
  ? ''
  : ' [skipped: needs bubblewrap: apt-get install bubblewrap]';
const rootMissing = process.getuid?.() === 0 ? '' : ' [skipped: needs root for control groups]';

async function runToEnd(script: string, spec: Partial<WorkloadSpecInput> = {}): Promise<Inspection> {
  const { id } = await fleet.sh(script, spec);
  return fleet.end(id);
}

/** Nothing with this mark in its command line or environment is left once its workload has ended. */
async function expectGone(view: Inspection): Promise<void> {
  const marks = view.attempts.map(({ id }) => id);
  expect(processesOf(marks)).toEqual([]);
}

describe.each([
  ['in a sandbox', 'required', bwrapMissing],
  ['bare', 'off', ''],
] as const)('%s: a workload that', (_, sandbox, missing) => {
  describe.skipIf(missing !== '')(missing, () => {
    it('forks and exits: its end is its first process’s, and the rest goes with it', async () => {
      const view = await runToEnd('(sleep 300; echo late) & echo forked; exit 4', { sandbox });
      expect(view).toMatchObject({ state: 'failed', exitCode: 4 });
      expect(await fleet.text(view.id)).toBe('forked\n');
      await expectGone(view);
    });

    it('makes a daemon of itself by a double fork in a new session: the daemon goes with it', async () => {
      // Without control groups, a bare process that clears its environment cannot be found; its node says so.
      const cleared = sandbox === 'off' && rootMissing !== '' ? '' : 'env -i';
      const work = `${cleared} sleep 301 & echo $! > daemon.pid; sleep 302`;
      const daemon = `setsid sh -c '(exec </dev/null >/dev/null 2>&1; ${work}) &' &`;
      const view = await runToEnd(`${daemon}\nwhile [ ! -s daemon.pid ]; do sleep 0.05; done; exit 0`, {
        sandbox,
      });
      expect(view).toMatchObject({ state: 'succeeded', exitCode: 0 });
      await expectGone(view);
      expect(processesOf(['sleep 301', 'sleep 302'])).toEqual([]);
    });

    it('ignores SIGTERM: it is killed after its grace, with its children, and that is said', async () => {
      const { id } = await fleet.sh("trap '' TERM; echo up; sleep 303 & while :; do sleep 0.2; done", {
        sandbox,
        stopGraceMs: 300,
      });
      await fleet.untilState(id, 'running');
      await until('it prints', async () => (await fleet.inspect(id)).attempts.length === 1);
      await fleet.stop(id);
      const view = await fleet.end(id);
      expect(view).toMatchObject({ state: 'cancelled', signal: 'SIGKILL', endReason: 'stopped' });
      expect(view.message).toMatch(/did not end within 300 ms of SIGTERM/);
      await expectGone(view);
    });

    it('handles SIGTERM: it has its time, and its own exit code counts', async () => {
      const { id } = await fleet.sh(
        `trap 'echo cleaned; exit 21' TERM; echo up > ${sandbox}.up; while :; do sleep 0.05; done`,
        { sandbox },
      );
      await until('its trap is set', async () => (await fleet.file(`${sandbox}.up`)) !== '');
      await fleet.stop(id);
      expect(await fleet.end(id)).toMatchObject({ state: 'cancelled', exitCode: 21, endReason: 'stopped' });
      expect(await fleet.text(id)).toBe('cleaned\n');
    });

    it('closes its output and goes on: it is running until it ends', async () => {
      const { id } = await fleet.sh(
        `echo before; exec >&- 2>&-; while [ ! -e closed-${sandbox}.go ]; do sleep 0.05; done; exit 5`,
        { sandbox },
      );
      await fleet.untilState(id, 'running');
      await fleet.letGo(`closed-${sandbox}`);
      expect(await fleet.end(id)).toMatchObject({ state: 'failed', exitCode: 5 });
      expect(await fleet.text(id)).toBe('before\n');
    });

    it('is killed by a signal of its own: the signal is reported', async () => {
      expect(await runToEnd('kill -SEGV $$', { sandbox })).toMatchObject({
        state: 'failed',
        signal: 'SIGSEGV',
      });
    });

    it('prints without newline and bytes that are no text: every byte is kept', async () => {
      const view = await runToEnd(String.raw`printf 'no newline'; printf '\000\377\376\r\303' >&2`, {
        sandbox,
      });
      const entries = await fleet.log(view.id);
      const of = (stream: string): Buffer =>
        Buffer.concat(entries.flatMap((entry) => (entry.stream === stream ? [entry.bytes] : [])));
      expect(of('stdout').toString()).toBe('no newline');
      expect([...of('stderr')]).toEqual([0, 255, 254, 13, 195]);
    });

    it('runs over its time limit: its whole tree is gone, and the reason is the timeout', async () => {
      const view = await runToEnd("trap '' TERM; (setsid sleep 304 &); sleep 305", {
        sandbox,
        timeoutMs: 300,
        stopGraceMs: 200,
      });
      expect(view).toMatchObject({ state: 'failed', endReason: 'timeout' });
      expect(view.message).toMatch(/time limit of 300ms\..* killed/);
      await expectGone(view);
      expect(processesOf(['sleep 304', 'sleep 305'])).toEqual([]);
    });

    it('cannot be started: the reason names the program and what is wrong with it', async () => {
      const missingProgram = await fleet.end((await fleet.run({ command: ['no-such-program'], sandbox })).id);
      expect(missingProgram).toMatchObject({ state: 'failed', endReason: 'command-not-found' });
      expect(missingProgram.message).toMatch(/no-such-program/);
      const file = path.join(fleet.work, 'not-executable');
      await writeFile(file, 'text');
      await chmod(file, 0o644);
      const spec = { command: [file], sandbox, workingDirectory: fleet.work };
      const notExecutable = await fleet.end((await fleet.run(spec)).id);
      expect(notExecutable).toMatchObject({ state: 'failed', endReason: 'command-not-executable' });
      expect(notExecutable.message).toContain(file);
      const nowhere = await runToEnd('true', { sandbox, workingDirectory: '/no/such/folder' });
      expect(nowhere).toMatchObject({ state: 'failed', endReason: 'launch-failed' });
      expect(nowhere.message).toContain('/no/such/folder');
    });

    it.skipIf(rootMissing !== '')(
      `is limited in memory and uses more: the kernel’s kill is reported as that${rootMissing}`,
      async () => {
        const eat = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1'];
        const { id } = await fleet.run({ command: eat, sandbox, resources: { memoryMib: 32 } });
        const view = await fleet.end(id);
        expect(view).toMatchObject({ state: 'failed', endReason: 'out-of-memory', signal: 'SIGKILL' });
        expect(view.message).toMatch(/memory limit of 32.*--memory/);
      },
    );

    it('finds its environment, folder and mounts', async () => {
      await mkdir(path.join(fleet.folder, 'data'), { recursive: true });
      await writeFile(path.join(fleet.folder, 'data', 'input'), 'given\n');
      const source = path.join(fleet.folder, 'data');
      const target = sandbox === 'off' ? source : '/data';
      const view = await runToEnd(
        `pwd; echo "$GIVEN $CLAWBERNETES_WORKLOAD_ID"; cat ${target}/input
        (echo x > ${target}/output) 2>/dev/null || echo read-only`,
        { sandbox, env: { GIVEN: 'a b' }, mounts: [{ source, target }] },
      );
      const lines = [fleet.work, `a b ${view.id}`, 'given'];
      expect(await fleet.text(view.id)).toBe(
        [...lines, ...(sandbox === 'off' ? [] : ['read-only']), ''].join('\n'),
      );
    });

    it('can be looked into while it runs: exec, stats, and the label of its sandbox', async () => {
      const { id } = await fleet.sh('export INSIDE=yes; while :; do sleep 0.2; done', { sandbox });
      const { attempt } = await fleet.untilState(id, 'running');
      expect(attempt?.sandbox).toBe(sandbox === 'off' ? 'none' : 'bubblewrap');
      if (sandbox === 'off') expect(attempt?.limitations.join()).toMatch(/unsandboxed/);
      const command = ['sh', '-c', 'echo "in $CLAWBERNETES_WORKLOAD_ID $PWD"; echo bad >&2; exit 17'];
      const exec = await fleet.client.command('container.exec', { workload: id, command });
      expect(exec).toMatchObject({ exitCode: 17, stdout: `in ${id} ${fleet.work}\n`, stderr: 'bad\n' });
      const stats = await fleet.client.command('workload.stats', { workload: id });
      expect(stats.processes).toBeGreaterThan(0);
      expect(stats.memoryBytes).toBeGreaterThan(0);
      await fleet.stop(id, { force: true });
      await expectGone(await fleet.end(id));
      await expect(fleet.client.command('container.exec', { workload: id, command })).rejects.toMatchObject({
        code: 'not-running',
      });
    });
  });
});

it.skipIf(rootMissing !== '')(`a CPU limit is held and can be seen${rootMissing}`, async () => {
  const { id } = await fleet.sh('while :; do :; done', { resources: { cpuMilli: 100 } });
  await fleet.untilState(id, 'running');
  await until('it was throttled', async () => {
    const { throttledMs = 0 } = await fleet.client.command('workload.stats', { workload: id });
    return throttledMs > 100;
  });
  await fleet.stop(id, { force: true });
  const { startedAtMs = 0, finishedAtMs = 0 } = await fleet.end(id);
  expect(finishedAtMs - startedAtMs).toBeGreaterThan(100);
});

it.skipIf(bwrapMissing !== '')(
  `a sandboxed workload sees neither the node’s keys nor other processes${bwrapMissing}`,
  async () => {
    const keys = path.join(fleet.node.home, 'node', 'node.key');
    expect((await readFile(keys)).length).toBeGreaterThan(0);
    const view = await runToEnd(`cat ${keys}; ls /proc | grep -c '^[0-9]'; ls ${fleet.node.home}`, {
      workingDirectory: fleet.folder,
      sandbox: 'required',
    });
    expect(view.state).toBe('succeeded');
    expect(Number(await fleet.text(view.id))).toBeLessThan(10);
    expect(await fleet.text(view.id, 'stderr')).toContain('No such file');
  },
);
