// Shows that a probe has a deadline and a bound whatever its program does, with real processes.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeProbeProcesses, type ProbeProcesses } from '../../src/hardware/probe-processes.ts';
import { ProbeRunner, type ProbeResult } from '../../src/hardware/probe-runner.ts';
import { FakeTools } from './fake-tools.ts';

const LIMITS = { deadlineMs: 5_000, graceMs: 500 };
let tools: FakeTools;
beforeEach(() => {
  tools = new FakeTools();
});
afterEach(() => tools[Symbol.dispose]());

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie still has a pid.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The pid that a tool writes into `file` once it is where a test wants it. */
async function pidIn(file: string): Promise<number> {
  return await vi.waitFor(
    () => {
      const pid = Number(readFileSync(join(tools.folder, file), 'utf8'));
      expect(pid).toBeGreaterThan(0);
      return pid;
    },
    { timeout: 10_000 },
  );
}

/** A runner of real processes whose time the test owns. */
function ownedTime(processes: ProbeProcesses = nodeProbeProcesses({ PATH: tools.folder }, [])): {
  readonly clock: VirtualClock;
  readonly runner: ProbeRunner;
} {
  const clock = new VirtualClock();
  return { clock, runner: new ProbeRunner({ clock, processes }, LIMITS) };
}

/** Lets the deadline and both signals' grace pass. */
async function outlast(clock: VirtualClock, running: Promise<ProbeResult>): Promise<ProbeResult> {
  await clock.advance(LIMITS.deadlineMs + 2 * LIMITS.graceMs);
  return await running;
}

describe('a program that answers', () => {
  it('gives its output, apart by stream, and its exit code', async () => {
    tools.install('nvidia-smi', 'echo "args: $*"; echo oops >&2; exit 9');
    expect(await tools.runner().run({ program: 'nvidia-smi', args: ['topo', '-m'] })).toEqual({
      outcome: 'finished',
      exitCode: 9,
      stdout: 'args: topo -m\n',
      stderr: 'oops\n',
    });
  });

  it('runs in the C locale', async () => {
    tools.install('tool', 'echo "$LC_ALL"');
    expect(await tools.runner().run({ program: 'tool', args: [] })).toMatchObject({ stdout: 'C\n' });
  });
});

describe('a program that cannot be run', () => {
  it('is absent if there is none', async () => {
    expect(await tools.runner().run({ program: 'nvidia-smi', args: [] })).toEqual({
      outcome: 'absent',
      message: 'nvidia-smi is not installed.',
    });
  });

  it('has failed if it is not executable', async () => {
    writeFileSync(join(tools.folder, 'nvidia-smi'), 'x', { mode: 0o644 });
    expect(await tools.runner().run({ program: 'nvidia-smi', args: [] })).toMatchObject({
      outcome: 'failed',
    });
  });

  it('has failed if its arguments cannot be passed', async () => {
    tools.install('tool', 'true');
    expect(await tools.runner().run({ program: 'tool', args: ['a\0b'] })).toMatchObject({
      outcome: 'failed',
    });
  });

  it('has failed if a signal ends it', async () => {
    tools.install('nvidia-smi', 'kill -SEGV $$');
    const result = await tools.runner().run({ program: 'nvidia-smi', args: [] });
    expect(result).toEqual({ outcome: 'failed', message: 'nvidia-smi was ended by SIGSEGV.' });
  });
});

describe('a program that misbehaves', () => {
  it('is told to end at the deadline, together with what it started', async () => {
    tools.install('nvidia-smi', `/bin/sleep 60 & echo $! > ${tools.folder}/child; wait`);
    const { clock, runner } = ownedTime();
    const running = runner.run({ program: 'nvidia-smi', args: [] });
    const child = await pidIn('child');
    await clock.advance(LIMITS.deadlineMs);
    expect(await running).toEqual({
      outcome: 'timed-out',
      message: 'nvidia-smi did not answer within 5.0s and was killed.',
    });
    await vi.waitFor(() => expect(alive(child)).toBe(false));
    expect(runner.isStuck('nvidia-smi')).toBe(false);
  });

  it('is killed if it ignores that', async () => {
    tools.install(
      'nvidia-smi',
      `trap '' TERM; echo $$ > ${tools.folder}/pid; while :; do /bin/sleep 0.05; done`,
    );
    const { clock, runner } = ownedTime();
    const running = runner.run({ program: 'nvidia-smi', args: [] });
    const pid = await pidIn('pid');
    await clock.advance(LIMITS.deadlineMs);
    expect(alive(pid)).toBe(true);
    await clock.advance(LIMITS.graceMs);
    expect(await running).toMatchObject({ outcome: 'timed-out' });
    expect(alive(pid)).toBe(false);
  });

  it('is killed when it prints without end', async () => {
    tools.install('nvidia-smi', 'while :; do echo 0123456789012345678901234567890123456789; done');
    const result = await tools.runner({ maxOutputBytes: 10_000 }).run({ program: 'nvidia-smi', args: [] });
    expect(result).toEqual({
      outcome: 'failed',
      message: 'nvidia-smi printed more than a probe may, and was killed.',
    });
  });

  it('does not hold its runner when a daemon of it keeps the pipe', async () => {
    tools.install('tool', `/usr/bin/setsid /bin/sleep 60 & echo $! > ${tools.folder}/child`);
    const { clock, runner } = ownedTime();
    const running = runner.run({ program: 'tool', args: [] });
    const child = await pidIn('child');
    // From here on the sleep is in a session of its own, where signals to the group do not reach it.
    await vi.waitFor(() => expect(readFileSync(`/proc/${child}/cmdline`, 'utf8')).toMatch(/^\/bin\/sleep/));
    const result = await outlast(clock, running);
    expect(result).toMatchObject({
      outcome: 'timed-out',
      message: expect.stringMatching(/left a program behind/),
    });
    expect(runner.isStuck('tool')).toBe(false);
    process.kill(child, 'SIGKILL');
  });

  it('is ended when its runner closes', async () => {
    tools.install('nvidia-smi', `echo $$ > ${tools.folder}/pid; exec /bin/sleep 60`);
    const runner = tools.runner();
    const running = runner.run({ program: 'nvidia-smi', args: [] });
    const pid = await pidIn('pid');
    await runner[Symbol.asyncDispose]();
    expect(alive(pid)).toBe(false);
    expect(await running).toMatchObject({ outcome: 'failed' });
  });
});

interface Unkillable {
  readonly processes: ProbeProcesses;
  started(): number;
  release(): void;
}

/** Real processes that no signal reaches until `release`: what a hung driver does to its callers. */
function unkillable(): Unkillable {
  const real = nodeProbeProcesses({ PATH: tools.folder }, []);
  const held: (() => void)[] = [];
  return {
    started: () => held.length,
    release: () => {
      for (const kill of held) kill();
    },
    processes: {
      start(command, onOutput) {
        const probe = real.start(command, onOutput);
        held.push(() => probe.kill('SIGKILL'));
        return { ...probe, kill: () => undefined };
      },
    },
  };
}

describe('a program that cannot be killed', () => {
  it('is given up, and not started again as long as it is there', async () => {
    tools.install('nvidia-smi', 'exec /bin/sleep 60');
    tools.install('vulkaninfo', 'echo fine');
    const hung = unkillable();
    const { clock, runner } = ownedTime(hung.processes);
    const first = await outlast(clock, runner.run({ program: 'nvidia-smi', args: [] }));
    expect(first).toMatchObject({ outcome: 'timed-out', message: expect.stringMatching(/cannot be killed/) });

    const again = await runner.run({ program: 'nvidia-smi', args: ['-L'] });
    expect(again).toMatchObject({
      outcome: 'timed-out',
      message: expect.stringMatching(/not started again/),
    });
    expect(hung.started()).toBe(1);
    expect(await runner.run({ program: 'vulkaninfo', args: [] })).toMatchObject({ outcome: 'finished' });

    hung.release();
    await vi.waitFor(() => expect(runner.isStuck('nvidia-smi')).toBe(false));
    tools.install('nvidia-smi', 'echo back');
    expect(await runner.run({ program: 'nvidia-smi', args: [] })).toMatchObject({ stdout: 'back\n' });
  });

  const freezer = '/sys/fs/cgroup/freezer';
  const skip = process.getuid?.() !== 0 || !existsSync(join(freezer, 'cgroup.procs'));
  const why = skip
    ? ' [skipped: needs root and a cgroup v1 freezer: boot with systemd.unified_cgroup_hierarchy=0]'
    : '';
  it.skipIf(skip)(`is given up when the kernel holds it, as in uninterruptible sleep${why}`, async () => {
    const group = join(freezer, `claw-probe-${process.pid}`);
    mkdirSync(group);
    try {
      // It freezes itself: from then on not even SIGKILL reaches it, until it is thawed.
      tools.install(
        'nvidia-smi',
        `echo $$ > ${group}/cgroup.procs; echo FROZEN > ${group}/freezer.state; echo no`,
      );
      const { clock, runner } = ownedTime();
      const running = runner.run({ program: 'nvidia-smi', args: [] });
      await vi.waitFor(() => expect(readFileSync(join(group, 'freezer.state'), 'utf8')).toBe('FROZEN\n'));
      const result = await outlast(clock, running);
      expect(result).toMatchObject({
        outcome: 'timed-out',
        message: expect.stringMatching(/cannot be killed/),
      });
      expect(runner.isStuck('nvidia-smi')).toBe(true);
      writeFileSync(join(group, 'freezer.state'), 'THAWED');
      await vi.waitFor(() => expect(runner.isStuck('nvidia-smi')).toBe(false));
    } finally {
      writeFileSync(join(group, 'freezer.state'), 'THAWED');
      await vi.waitFor(() => rmdirSync(group), { timeout: 5_000 });
    }
  });
});
