// Shows that the supervisor works with the node's own process executor, and that its death leaves nothing.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { until } from '../../src/testing/until.ts';
import { launchOf, logText, SupervisorBench, untilEnded } from './bench.ts';

const MARK = 'supervisor-real-executors-test';

/** Processes whose arguments name this test's workload. */
function workloads(): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(MARK);
    } catch {
      return false;
    }
  });
}

class RealBench extends SupervisorBench {
  override options(more = {}): ReturnType<SupervisorBench['options']> {
    const { executorModule: _, ...options } = super.options(more);
    return { ...options, executors: { process: { policy: { allowUnsandboxed: true } } } };
  }
}

describe.each(['off', 'preferred'] as const)("the node's own executor with sandbox %s", (sandbox) => {
  it('runs, stops, and leaves nothing when the supervisor is killed', async () => {
    await using bench = new RealBench();
    const supervisor = await bench.connect();
    await supervisor.launch(launchOf('short', 'echo out; echo err >&2; exit 7', { sandbox }));
    expect(await untilEnded(supervisor, 'short')).toMatchObject({ state: 'exited', exitCode: 7 });
    expect(await logText(supervisor, 'short', ['stdout'])).toBe('out\n');
    expect(await logText(supervisor, 'short', ['stderr'])).toBe('err\n');

    await supervisor.launch(launchOf('stopped', 'echo up; sleep 60', { sandbox }));
    await supervisor.launch(launchOf('killed', `: ${MARK}; echo up; sleep 60 & sleep 60`, { sandbox }));
    for (const attemptId of ['stopped', 'killed']) {
      await until('it prints', async () => (await logText(supervisor, attemptId)) === 'up\n');
    }
    await supervisor.stop('stopped', { graceMs: 2000 });
    expect(await untilEnded(supervisor, 'stopped')).toMatchObject({ state: 'killed', reason: 'stopped' });
    expect(workloads().length).toBeGreaterThan(0);
    process.kill(supervisor.pid ?? 0, 'SIGKILL');
    expect(await untilEnded(supervisor, 'killed')).toMatchObject({
      state: 'killed',
      reason: 'supervisor-lost',
    });
    expect(workloads()).toEqual([]);
  });
});
