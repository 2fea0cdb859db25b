// Shows that nothing survives a killed supervisor: a sandbox ends with it, the rest when the next one
// recovers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger, systemClock } from '@clawbernetes/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExecutionHandle } from '../../src/execution/executor.ts';
import { openProcessExecutor, type ProcessExecutor } from '../../src/execution/process-executor.ts';
import { pidsWithMarker, startTicks } from '../../src/execution/process/process-table.ts';
import { until } from '../../src/testing/until.ts';

const CHILD = fileURLToPath(new URL('process-crash-child.ts', import.meta.url));
const cgroupName = `clawbernetes-crash-${process.pid}`;
let scratch: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'clawbernetes-crash-'));
});
afterEach(() => rm(scratch, { recursive: true }));

/** Starts a supervisor with one workload and kills it; answers the workload's handle. */
async function crash(attemptId: string, sandbox: string): Promise<ExecutionHandle> {
  const child = spawn(
    process.execPath,
    ['--conditions=@clawbernetes/source', CHILD, scratch, cgroupName, attemptId, sandbox],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line]: unknown[] = await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return JSON.parse(String(line)) as ExecutionHandle;
}

function open(): Promise<ProcessExecutor> {
  return openProcessExecutor(
    { clock: systemClock, logger: silentLogger },
    { scratch, cgroupName, policy: { allowUnsandboxed: true } },
  );
}

function processesOf(attemptId: string): readonly number[] {
  return pidsWithMarker(`CLAWBERNETES_ATTEMPT_ID=${attemptId}`).filter(
    (pid) => startTicks(pid) !== undefined,
  );
}

describe('after a kill -9 of the supervisor', () => {
  for (const sandbox of ['off', 'preferred']) {
    it(`recovery ends a workload (sandbox: ${sandbox}) with all its daemons and groups`, async () => {
      const attemptId = `attempt-${sandbox}`;
      const handle = await crash(attemptId, sandbox);
      expect(handle).toMatchObject({ executor: 'process', pid: expect.any(Number) });
      await using executor = await open();
      expect(await executor.recover(attemptId, handle)).toBeUndefined();
      expect(processesOf(attemptId)).toEqual([]);
      expect((handle.cgroups ?? []).filter((directory) => existsSync(directory))).toEqual([]);
    });
  }

  it('a sandboxed workload ends even without recovery', async () => {
    await crash('attempt-alone', 'preferred');
    await until('its processes are gone', () => processesOf('attempt-alone').length === 0);
    await using executor = await open();
    await executor.recover('attempt-alone', { executor: 'process' });
    expect(processesOf('attempt-alone')).toEqual([]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'a workload that nobody remembers is named and can be ended [root only: needs control groups]',
    async () => {
      await crash('attempt-forgotten', 'off');
      await using executor = await open();
      expect(executor.leftovers).toEqual(['attempt-forgotten']);
      await executor.recover('attempt-forgotten', { executor: 'process' });
      expect(processesOf('attempt-forgotten')).toEqual([]);
    },
  );

  it('a stranger who got the pid is left alone', async () => {
    const stranger = spawn('sleep', ['300'], { detached: true });
    const pid = stranger.pid ?? 0;
    await using executor = await open();
    const handle = { executor: 'process', pid, pidStartTicks: (startTicks(pid) ?? 0) - 1 } as const;
    await executor.recover('attempt-reused', handle);
    expect(startTicks(pid)).toBeDefined();
    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
  });
});
