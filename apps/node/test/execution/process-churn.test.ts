// Shows that many attempts at once, stopped at any moment, each end with their own output and leave nothing
// behind.
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, silentLogger, sleep, systemClock, type Random } from '@clawbernetes/kernel';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutionExit } from '../../src/execution/executor.ts';
import { openProcessExecutor, type ProcessExecutor } from '../../src/execution/process-executor.ts';
import { RecordingSink } from '../../src/testing/recording-sink.ts';

const SEED = 20;
const ATTEMPTS = 60;
let scratch: string;
let executor: ProcessExecutor;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'clawbernetes-churn-'));
  executor = await openProcessExecutor(
    { clock: systemClock, logger: silentLogger },
    { scratch, cgroupName: `clawbernetes-churn-${process.pid}`, policy: { allowUnsandboxed: true } },
  );
});
afterAll(async () => {
  await executor[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true });
});

interface Outcome {
  readonly number: number;
  readonly exit: ExecutionExit;
  readonly text: string;
  readonly left: readonly string[];
}

async function attempt(number: number, random: Random): Promise<Outcome> {
  const sink = new RecordingSink({ slow: random.fraction() < 0.3 });
  const spec = workloadSpecSchema.parse({
    command: ['sh', '-c', `echo ${number}; touch file-${number}; sleep 300 & exit ${number}`],
    sandbox: random.fraction() < 0.5 ? 'preferred' : 'off',
    resources: random.fraction() < 0.5 ? { memoryMib: 64, cpuMilli: 1000 } : {},
  });
  const ids = { attemptId: `attempt-${number}`, workloadId: 'workload-1', namespace: 'default' };
  const execution = await executor.start({ ...ids, epoch: { term: 1, counter: 1 }, spec, devices: [] }, sink);
  if (random.fraction() < 0.4) {
    await sleep(systemClock, random.fraction() * 20);
    execution.stop(random.fraction() < 0.5 ? 0 : 100, 'stopped');
  }
  const exit = await execution.exited;
  const left = (execution.handle.cgroups ?? []).filter((directory) => existsSync(directory));
  return { number, exit, text: sink.text('stdout'), left };
}

describe('churn', () => {
  it(`of ${ATTEMPTS} attempts (seed ${SEED})`, async () => {
    const descriptors = readdirSync('/proc/self/fd').length;
    const random = seededRandom(SEED);
    const outcomes = await Promise.all(
      Array.from({ length: ATTEMPTS }, (_, number) => attempt(number, random)),
    );
    for (const { number, exit, text, left } of outcomes) {
      if (exit.reason === undefined) expect(exit).toMatchObject({ exitCode: number });
      else expect(exit.reason).toBe('stopped');
      expect(['', `${number}\n`]).toContain(text);
      if (exit.exitCode === number) expect(text).toBe(`${number}\n`);
      expect(left).toEqual([]);
    }
    expect(outcomes.filter(({ exit }) => exit.reason === undefined).length).toBeGreaterThan(0);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptors + 2);
  });
});
