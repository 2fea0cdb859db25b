import { systemClock } from '@clawbernetes/kernel';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import type { ExecRequest, ExecutionHandle } from '../execution/executor.ts';
import { ExecutorBench, type ExecutorFixture, type ExecutorSuiteOptions } from './executor-bench.ts';
import { RecordingSink } from './recording-sink.ts';
import { until } from './until.ts';

/** The behaviour of every executor: each implementation runs this on the real thing. */
export function executorSuite(
  name: string,
  openFixture: () => Promise<ExecutorFixture>,
  { lacks = {}, skip }: ExecutorSuiteOptions = {},
): void {
  const bench = new ExecutorBench(openFixture, lacks);
  describe.skipIf(skip !== undefined)(skip === undefined ? name : `${name} [skipped: ${skip}]`, () => {
    beforeAll(() => bench.open());
    afterEach(() => bench.expectNothingLeft());
    afterAll(() => bench.close());
    describe('ends', () => testEnds(bench));
    describe('output', () => testOutput(bench));
    describe('surroundings', () => testSurroundings(bench));
    describe('limits', () => testLimits(bench));
    describe('stop', () => testStop(bench));
    describe('process tree', () => testProcessTree(bench));
    describe('refusals', () => testRefusals(bench));
    describe('exec and stats', () => testExec(bench));
  });
}

function testEnds(bench: ExecutorBench): void {
  const expectCode = async (code: number): Promise<void> => {
    const { exit } = await bench.finish(`exit ${code}`);
    expect(exit).toMatchObject({ exitCode: code });
    expect(exit.signal).toBeUndefined();
    expect(exit.reason).toBeUndefined();
  };
  for (const code of [0, 1, 77, 125, 126, 127, 128, 255]) {
    bench.test(`exit code ${code} is reported as such`, () => expectCode(code));
  }
  // Where a death by signal n looks like exit code 128 + n, these cannot be told apart.
  for (const code of [130, 137, 139, 143]) {
    bench.testWith('exact-signals', `exit code ${code} is reported as such`, () => expectCode(code));
  }
  for (const signal of ['KILL', 'TERM', 'ABRT', 'SEGV', 'HUP']) {
    bench.testWith('exact-signals', `a death by SIG${signal} is reported as the signal`, async () => {
      const { exit } = await bench.finish(`kill -${signal} $$; sleep 60`);
      expect(exit).toMatchObject({ signal: `SIG${signal}` });
      expect(exit.exitCode).toBeUndefined();
    });
  }
  bench.test('the end has a time that is not before the start', async () => {
    const before = systemClock.nowMs();
    const { exit } = await bench.finish('exit 0');
    expect(exit.finishedAtMs).toBeGreaterThanOrEqual(before - 1);
    expect(exit.finishedAtMs).toBeLessThanOrEqual(systemClock.nowMs() + 1);
  });
}

function testOutput(bench: ExecutorBench): void {
  bench.test('stdout and stderr are kept apart', async () => {
    const { sink } = await bench.finish('echo out; echo err >&2; echo out2');
    expect(sink.text('stdout')).toBe('out\nout2\n');
    expect(sink.text('stderr')).toBe('err\n');
  });
  bench.test('a last line without newline arrives', async () => {
    const { sink } = await bench.finish('printf "no newline"');
    expect(sink.text('stdout')).toBe('no newline');
  });
  bench.test('every byte value arrives unchanged', async () => {
    const octal = Array.from({ length: 256 }, (_, byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
    const { sink } = await bench.finish(`printf '${octal}'`);
    expect([...sink.bytes('stdout')]).toEqual(Array.from({ length: 256 }, (_, byte) => byte));
  });
  bench.test('a workload that closes its output still ends with its code', async () => {
    const { sink, exit } = await bench.finish('echo first; exec >&- 2>&-; sleep 0.1; exit 9');
    expect(exit.exitCode).toBe(9);
    expect(sink.text('stdout')).toBe('first\n');
  });
  bench.test('a slow reader holds the workload back and loses nothing', async () => {
    const sink = new RecordingSink({ slow: true });
    const { execution } = await bench.shell('head -c 8000000 /dev/zero; echo end >&2', {}, sink);
    expect((await execution.exited).exitCode).toBe(0);
    expect(sink.bytes('stdout').length).toBe(8_000_000);
    expect(sink.text('stderr')).toBe('end\n');
    expect(sink.overruns).toBe(0);
  });
  bench.test('the streams can be opened by name', async () => {
    const { sink, exit } = await bench.finish('echo out > /dev/stdout; echo err > /dev/stderr');
    expect(exit.exitCode).toBe(0);
    expect(sink.text('stdout')).toBe('out\n');
    expect(sink.text('stderr')).toBe('err\n');
  });
  bench.test('standard input is empty', async () => {
    const { exit, sink } = await bench.finish('cat; echo done');
    expect(exit.exitCode).toBe(0);
    expect(sink.text('stdout')).toBe('done\n');
  });
}

function testSurroundings(bench: ExecutorBench): void {
  bench.test('the environment is the one of the spec, the basics and nothing of the node', async () => {
    process.env['EXECUTOR_SUITE_SECRET'] = 'leak';
    const { sink } = await bench.finish('env', { env: { MODEL: 'a b=c', EMPTY: '' } });
    delete process.env['EXECUTOR_SUITE_SECRET'];
    const lines = sink.text('stdout').split('\n');
    expect(lines).toContain('MODEL=a b=c');
    expect(lines).toContain('EMPTY=');
    const names = lines.map((line) => line.split('=')[0]);
    for (const name of ['PATH', 'HOME', 'CLAWBERNETES_ATTEMPT_ID', 'CLAWBERNETES_WORKLOAD_ID']) {
      expect(names).toContain(name);
    }
    expect(sink.text('stdout')).not.toContain('EXECUTOR_SUITE_SECRET');
  });
  bench.test('arguments arrive as given', async () => {
    const { execution, sink } = await bench.start(['printf', '%s|', 'a b', '', '$HOME', '"q"', "it's", '*']);
    await execution.exited;
    expect(sink.text('stdout')).toBe('a b||$HOME|"q"|it\'s|*|');
  });
  bench.test('the working directory of the spec is used', async () => {
    const { sink } = await bench.finish('pwd', { workingDirectory: '/usr' });
    expect(sink.text('stdout')).toBe('/usr\n');
  });
  bench.test('without one, the working directory is writable', async () => {
    const { exit, sink } = await bench.finish('echo kept > file && cat file');
    expect(exit.exitCode).toBe(0);
    expect(sink.text('stdout')).toBe('kept\n');
  });
  bench.testWith('private-tmp', 'a temporary folder is private and writable', async () => {
    const first = await bench.finish('echo x > /tmp/executor-suite && ls /tmp');
    expect(first.sink.text('stdout')).toBe('executor-suite\n');
    const second = await bench.finish('ls /tmp');
    expect(second.sink.text('stdout')).toBe('');
  });
  bench.testWith('read-only-system', 'the system cannot be written', async () => {
    const { exit } = await bench.finish('(echo x > /usr/executor-suite) 2>/dev/null && exit 3; exit 4');
    expect(exit.exitCode).toBe(4);
  });
  bench.testWith('no-network', 'network none leaves only loopback', async () => {
    const { sink } = await bench.finish('cat /proc/net/dev', { network: 'none' });
    const links = sink
      .text('stdout')
      .split('\n')
      .slice(2)
      .map((line) => line.split(':')[0]?.trim());
    expect(
      links.filter((link) => link !== '' && link !== 'lo' && !/^(sit|tunl|ip6|gre|erspan)/.test(link ?? '')),
    ).toEqual([]);
  });
}

function testLimits(bench: ExecutorBench): void {
  bench.testWith('memory-limit', 'more memory than allowed ends as out-of-memory', async () => {
    const { execution } = await bench.start(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=256M', 'count=1'], {
      resources: { memoryMib: 32 },
    });
    const exit = await execution.exited;
    expect(exit).toMatchObject({ reason: 'out-of-memory', signal: 'SIGKILL' });
    expect(exit.message).toMatch(/32(\.0)? MiB/);
  });
  bench.testWith(
    'memory-limit',
    'a child that is killed for memory is named even if its parent lives on',
    async () => {
      const { exit } = await bench.finish('dd if=/dev/zero of=/dev/null bs=256M count=1; exit 5', {
        resources: { memoryMib: 32 },
      });
      expect(exit).toMatchObject({ exitCode: 5 });
      expect(exit.message).toMatch(/memory/);
    },
  );
  bench.testWith(
    'memory-limit',
    'what we end ourselves is not blamed on an earlier kill of a child',
    async () => {
      const { execution, sink } = await bench.shell(
        'dd if=/dev/zero of=/dev/null bs=256M count=1; echo on; exec sleep 300',
        { resources: { memoryMib: 32 } },
      );
      await until('it goes on without its child', () => sink.text('stdout').endsWith('on\n'));
      execution.stop(0, 'timeout');
      expect(await execution.exited).toMatchObject({ signal: 'SIGKILL', reason: 'timeout' });
    },
  );
  bench.testWith('cpu-limit', 'more CPU than allowed is throttled, which the stats show', async () => {
    const { execution } = await bench.shell('while :; do :; done', { resources: { cpuMilli: 100 } });
    await until('the workload is throttled', async () => ((await execution.stats()).throttledMs ?? 0) > 0);
  });
  bench.testWith('process-limit', 'a fork bomb is contained and can be stopped', async () => {
    const { execution } = await bench.shell(
      // A shell ends when it cannot fork; the outer one must stay.
      '(while :; do sleep 300 & done) 2>/dev/null; exec sleep 300',
    );
    await until('it has forked', async () => (await execution.stats()).processes > 20);
    execution.stop(0, 'stopped');
    expect((await execution.exited).reason).toBe('stopped');
  });
}

function testStop(bench: ExecutorBench): void {
  bench.test('a polite stop reaches the program, which may end by itself', async () => {
    const { execution, sink } = await bench.shell(
      'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.05; done',
    );
    await until('the trap is set', () => sink.text('stdout') === 'up\n');
    execution.stop(60_000, 'stopped');
    expect(await execution.exited).toMatchObject({ exitCode: 3, reason: 'stopped' });
    expect(sink.text('stdout')).toBe('up\nbye\n');
  });
  bench.test('a program that ignores the signal is killed after the grace', async () => {
    const { execution, sink } = await bench.shell('trap "" TERM; echo up; while :; do sleep 0.05; done');
    await until('the trap is set', () => sink.text('stdout') === 'up\n');
    execution.stop(50, 'timeout');
    expect(await execution.exited).toMatchObject({ signal: 'SIGKILL', reason: 'timeout' });
  });
  bench.test('a shorter grace wins over a longer one', async () => {
    const { execution, sink } = await bench.shell('trap "" TERM; echo up; while :; do sleep 0.05; done');
    await until('the trap is set', () => sink.text('stdout') === 'up\n');
    execution.stop(3_600_000, 'stopped');
    execution.stop(0, 'stopped');
    expect(await execution.exited).toMatchObject({ signal: 'SIGKILL', reason: 'stopped' });
  });
  bench.test('a stop right after the start ends it, too', async () => {
    const { execution } = await bench.shell('sleep 300');
    execution.stop(0, 'stopped');
    expect(await execution.exited).toMatchObject({ reason: 'stopped' });
  });
  bench.test('a stop after the end changes nothing', async () => {
    const { execution } = await bench.shell('exit 6');
    await execution.exited;
    execution.stop(0, 'stopped');
    const exit = await execution.exited;
    expect(exit.exitCode).toBe(6);
    expect(exit.reason).toBeUndefined();
  });
}

function testProcessTree(bench: ExecutorBench): void {
  bench.test('a child in the background that keeps the pipe open does not delay the end', async () => {
    const { exit, sink } = await bench.finish('sleep 300 & echo parent; exit 7');
    expect(exit.exitCode).toBe(7);
    expect(sink.text('stdout')).toBe('parent\n');
  });
  bench.testWith('kills-daemons', 'a daemon in a session of its own ends with the workload', async () => {
    const { exit } = await bench.finish(
      'setsid sh -c "sleep 300 & sleep 300" </dev/null >/dev/null 2>&1 & exit 0',
    );
    expect(exit.exitCode).toBe(0);
  });
  bench.testWith(
    'kills-daemons',
    'a daemon without environment ends when the workload is stopped',
    async () => {
      const { execution, sink } = await bench.shell(
        'env -i setsid sh -c "trap \\"\\" TERM HUP; sleep 300 & sleep 300" </dev/null >/dev/null 2>&1 & echo up; sleep 300',
      );
      await until('it runs', () => sink.text('stdout') === 'up\n');
      execution.stop(0, 'stopped');
      await execution.exited;
    },
  );
  bench.testWith(
    'recover-kills',
    'after a crash of the supervisor, recovery leaves nothing running',
    async () => {
      const { execution, sink } = await bench.shell(
        'setsid sleep 300 & echo $CLAWBERNETES_ATTEMPT_ID; sleep 300',
      );
      await until('it runs', () => sink.text('stdout').endsWith('\n'));
      const handle: unknown = JSON.parse(JSON.stringify(execution.handle));
      const recovered = await bench.fixture.executor.recover(
        sink.text('stdout').trim(),
        handle as ExecutionHandle,
        new RecordingSink(),
      );
      expect(recovered).toBeUndefined();
      await execution.exited;
    },
  );
}

function testRefusals(bench: ExecutorBench): void {
  bench.test('a program that does not exist is named', async () => {
    const error = await bench.refused(['no-such-program-here', 'x']);
    expect(error).toMatchObject({ code: 'command-not-found' });
    expect(String(error)).toContain('no-such-program-here');
  });
  bench.test('a file that is not executable is named', async () => {
    const error = await bench.refused(['/etc/passwd']);
    expect(error).toMatchObject({ code: 'command-not-executable' });
    expect(String(error)).toContain('/etc/passwd');
  });
}

function testExec(bench: ExecutorBench): void {
  const request = (script: string, overrides: Partial<ExecRequest> = {}): ExecRequest => ({
    command: ['sh', '-c', script],
    env: {},
    timeoutMs: 20_000,
    maxOutputBytes: 65_536,
    ...overrides,
  });
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
  bench.testWith('exec', 'a command runs beside the workload with its files and environment', async () => {
    const { execution, sink } = await bench.shell('echo shared > file; echo up; sleep 300', {
      env: { A: '1' },
    });
    await until('it runs', () => sink.text('stdout') === 'up\n');
    const result = await execution.exec(
      request('cat file; echo $A $B; echo err >&2; exit 4', { env: { B: '2' } }),
    );
    expect(result).toMatchObject({ exitCode: 4, truncated: false, timedOut: false });
    expect(text(result.stdout)).toBe('shared\n1 2\n');
    expect(text(result.stderr)).toBe('err\n');
  });
  bench.testWith('exec', 'its output is bounded', async () => {
    const { execution } = await bench.shell('sleep 300');
    const result = await execution.exec(request('head -c 100000 /dev/zero', { maxOutputBytes: 1000 }));
    expect(result).toMatchObject({ exitCode: 0, truncated: true });
    expect(result.stdout.length).toBe(1000);
  });
  bench.testWith('exec', 'its time is bounded and the workload goes on', async () => {
    const { execution } = await bench.shell('sleep 300');
    const result = await execution.exec(request('sleep 300', { timeoutMs: 100 }));
    expect(result.timedOut).toBe(true);
    expect((await execution.stats()).processes).toBeGreaterThan(0);
  });
  bench.testWith('exec', 'after the end it is refused', async () => {
    const { execution } = await bench.shell('exit 0');
    await execution.exited;
    await expect(execution.exec(request('true'))).rejects.toMatchObject({ code: 'attempt-not-running' });
  });
  bench.testWith('stats', 'CPU time and memory are measured', async () => {
    const { execution } = await bench.shell('while :; do :; done');
    await until('CPU time is counted', async () => (await execution.stats()).cpuMs >= 20);
    const stats = await execution.stats();
    expect(stats.memoryBytes).toBeGreaterThan(0);
    expect(stats.processes).toBeGreaterThan(0);
  });
}
