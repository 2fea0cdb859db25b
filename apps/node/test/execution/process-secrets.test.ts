// Shows that a workload's environment is on no command line of the host, where every user could read it, and
// that it arrives whole, whatever its size and characters.
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@clawbernetes/kernel';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Launch } from '../../src/execution/executor.ts';
import { openProcessExecutor, type ProcessExecutor } from '../../src/execution/process-executor.ts';
import { Bubblewrap } from '../../src/execution/process/bubblewrap.ts';
import { RecordingSink } from '../../src/testing/recording-sink.ts';
import { until } from '../../src/testing/until.ts';

const unavailable = await Bubblewrap.open({ hidden: [] });
const NAMES = {
  required: `in a sandbox${typeof unavailable === 'string' ? ` [skipped: ${unavailable}]` : ''}`,
  off: 'bare',
};

let root: string;
let executor: ProcessExecutor;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'clawbernetes-secrets-'));
  executor = await openProcessExecutor(
    { clock: systemClock, logger: silentLogger },
    {
      scratch: join(root, 'scratch'),
      policy: { allowUnsandboxed: true },
      cgroupName: `clawbernetes-secrets-${process.pid}`,
    },
  );
});

afterAll(async () => {
  await executor[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

let launches = 0;

function launch(script: string, env: Record<string, string>, sandbox: 'required' | 'off'): Launch {
  launches += 1;
  const ids = { attemptId: `secret-${launches}`, workloadId: 'w', namespace: 'default' };
  const spec = workloadSpecSchema.parse({ command: ['/bin/sh', '-c', script], env, sandbox });
  return { ...ids, epoch: { term: 1, counter: 1 }, spec, devices: [] };
}

function commandLinesWith(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
    } catch {
      return false;
    }
  });
}

describe.each(['required', 'off'] as const)('the environment of a workload', (sandbox) => {
  describe.skipIf(sandbox === 'required' && typeof unavailable === 'string')(NAMES[sandbox], () => {
    it('is on no command line, neither of it nor of a command beside it', async () => {
      const secret = `hush-${process.pid}-${sandbox}`;
      const sink = new RecordingSink();
      const execution = await executor.start(launch('echo up; sleep 60', { TOKEN: secret }, sandbox), sink);
      await until('it is up', () => sink.text('stdout') === 'up\n');
      expect(commandLinesWith(secret)).toEqual([]);
      const running = execution.exec({
        command: ['/bin/sh', '-c', 'sleep 0.5; echo "$TOKEN $MORE"; readlink /proc/self/fd/0'],
        env: { MORE: `${secret}-more` },
        timeoutMs: 10_000,
        maxOutputBytes: 1000,
      });
      let seen: string[] = [];
      let ended = false;
      const result = running.finally(() => (ended = true));
      await until('it has ended', () => {
        seen = [...seen, ...commandLinesWith(secret)];
        return ended;
      });
      const { stdout } = await result;
      expect(Buffer.from(stdout).toString()).toBe(`${secret} ${secret}-more\n/dev/null\n`);
      expect(seen).toEqual([]);
      execution.stop(0, 'stopped');
      await execution.exited;
    });

    it('arrives whole when it is larger than a pipe, with every kind of character', async () => {
      const env = { BIG: 'x'.repeat(100_000), ODD: `it's "a"\n$HOME\t\`b\` \\ ü\n`, EMPTY: '' };
      const script = 'printf "%s|%s|%s" "${#BIG}" "$ODD" "${EMPTY-unset}"';
      const sink = new RecordingSink();
      const execution = await executor.start(launch(`${script}; sleep 60`, env, sandbox), sink);
      await until('it printed', () => sink.text('stdout').endsWith('|'));
      const wanted = `100000|${env.ODD}|`;
      expect(sink.text('stdout')).toBe(wanted);
      const request = {
        command: ['/bin/sh', '-c', script],
        env: {},
        timeoutMs: 10_000,
        maxOutputBytes: 1000,
      };
      expect(Buffer.from((await execution.exec(request)).stdout).toString()).toBe(wanted);
      execution.stop(0, 'stopped');
      await execution.exited;
    });

    it('refuses a name that is none', async () => {
      const execution = await executor.start(launch('sleep 60', {}, sandbox), new RecordingSink());
      const request = { command: ['true'], env: { 'A;B': 'x' }, timeoutMs: 1000, maxOutputBytes: 1000 };
      await expect(execution.exec(request)).rejects.toMatchObject({ code: 'invalid-input' });
      execution.stop(0, 'stopped');
      await execution.exited;
    });
  });
});
