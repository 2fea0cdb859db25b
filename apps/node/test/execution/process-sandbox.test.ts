// Shows what a workload sees of the host: its project, its mounts, no secrets; and what is refused, with what
// words.
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@clawbernetes/kernel';
import { workloadSpecSchema, type WorkloadSpecInput } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Launch } from '../../src/execution/executor.ts';
import { openProcessExecutor, type ProcessExecutor } from '../../src/execution/process-executor.ts';
import { Bubblewrap } from '../../src/execution/process/bubblewrap.ts';
import { RecordingSink } from '../../src/testing/recording-sink.ts';

const unavailable = await Bubblewrap.open({ hidden: [] });
const why = typeof unavailable === 'string' ? unavailable : undefined;

let root: string;
let executor: ProcessExecutor;
let strict: ProcessExecutor;
let attempts = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'clawbernetes-sandbox-'));
  await mkdir(join(root, 'project/.clawbernetes'), { recursive: true });
  await writeFile(
    join(root, 'project/train.sh'),
    'echo training; echo result > result.txt; ls .clawbernetes',
  );
  await writeFile(join(root, 'project/.clawbernetes/key.pem'), 'secret');
  executor = await open(true);
  strict = await open(false);
});

afterAll(async () => {
  await executor[Symbol.asyncDispose]();
  await strict[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

function open(allowUnsandboxed: boolean): Promise<ProcessExecutor> {
  return openProcessExecutor(
    { clock: systemClock, logger: silentLogger },
    {
      scratch: join(root, `scratch-${allowUnsandboxed}`),
      policy: { allowUnsandboxed },
      cgroupName: `clawbernetes-sandbox-${process.pid}-${allowUnsandboxed}`,
      hidden: [join(root, 'project/.clawbernetes')],
    },
  );
}

function launch(
  command: readonly string[],
  input: Partial<WorkloadSpecInput>,
  devices: readonly string[] = [],
): Launch {
  attempts += 1;
  const ids = { attemptId: `attempt-${attempts}`, workloadId: 'workload-1', namespace: 'default' };
  const spec = workloadSpecSchema.parse({ command, sandbox: 'required', ...input });
  return { ...ids, epoch: { term: 1, counter: 1 }, spec, devices };
}

async function output(
  script: string,
  input: Partial<WorkloadSpecInput> = {},
  devices?: readonly string[],
): Promise<string> {
  const sink = new RecordingSink();
  const execution = await executor.start(launch(['sh', '-c', script], input, devices), sink);
  await execution.exited;
  return sink.text('stdout') + sink.text('stderr');
}

function refusal(
  node: ProcessExecutor,
  command: readonly string[],
  input: Partial<WorkloadSpecInput>,
): Promise<unknown> {
  return node.start(launch(command, input), new RecordingSink()).then(
    () => expect.unreachable('it should be refused'),
    (error: unknown) => error,
  );
}

describe.skipIf(why !== undefined)(
  `a sandboxed workload${why === undefined ? '' : ` [skipped: ${why}]`}`,
  () => {
    it('finds the files of its project, may change them, and does not see the keys of the node', async () => {
      const text = await output('sh train.sh', { workingDirectory: join(root, 'project') });
      expect(text).toBe('training\n');
      expect(await readFile(join(root, 'project/result.txt'), 'utf8')).toBe('result\n');
    });

    it('sees nothing else of the host', async () => {
      expect(await output(`ls ${root} 2>&1`)).toContain('No such file');
      expect(await output(`ls ${homedir()} 2>&1`)).toContain('No such file');
      expect(await output('cat /etc/shadow; echo end')).toMatch(/^end\n(.*denied\n)?$/);
    });

    it('sees only its own processes', async () => {
      const pids = await output('ls /proc | grep -c "^[0-9]"');
      expect(Number(pids)).toBeLessThan(8);
    });

    it('cannot gain privileges', async () => {
      const text = await output('grep -E "^(NoNewPrivs|CapEff|CapPrm)" /proc/self/status | tr -d "\\t"');
      expect(text).toBe('CapPrm:0000000000000000\nCapEff:0000000000000000\nNoNewPrivs:1\n');
    });

    it('cannot write control groups, system settings or devices of the host', async () => {
      expect(await output('echo 0 > /sys/fs/cgroup/pids/cgroup.procs && echo entered')).not.toContain(
        'entered',
      );
      // The value that is there already: harmless should it get through.
      const file = '/proc/sys/kernel/panic';
      expect(await output(`cat ${file} > /tmp/old; cat /tmp/old > ${file} && echo set`)).not.toContain(
        'set\n',
      );
      expect(await output('ls /dev')).not.toMatch(/^(sd|vd|nvme|mem|kmsg)/m);
    });

    it('has the mounts of its spec, read-only unless asked otherwise', async () => {
      const source = join(root, 'project');
      const script = 'cat /data/train.sh | head -c 4; echo x > /data/new || echo refused; echo y > /out/new';
      const mounts = [
        { source, target: '/data' },
        { source, target: '/out', readOnly: false },
      ];
      expect(await output(script, { mounts })).toContain('echorefused');
      expect(await readFile(join(source, 'new'), 'utf8')).toBe('y\n');
      expect(await output('ls /data/.clawbernetes; ls -a /data | grep -c claw', { mounts })).not.toContain(
        'key.pem',
      );
    });

    it('is not shown the files of the node, not even through a link', async () => {
      await symlink(join(root, 'project/.clawbernetes'), join(root, 'link'));
      for (const source of [join(root, 'project/.clawbernetes'), join(root, 'link')]) {
        const error = await refusal(executor, ['true'], { mounts: [{ source, target: '/data' }] });
        expect(error).toMatchObject({ code: 'launch-failed' });
      }
      const mounts = [{ source: '/', target: '/host' }];
      expect(
        await output(`ls /host${root}/project /host${root}/project/.clawbernetes`, { mounts }),
      ).not.toContain('key');
    });

    it('finds programs that only its mounts have', async () => {
      await mkdir(join(root, 'tools'));
      await writeFile(join(root, 'tools/hello'), '#!/bin/sh\necho hello $1', { mode: 0o755 });
      const sink = new RecordingSink();
      const mounts = [{ source: join(root, 'tools'), target: '/tools' }];
      const execution = await executor.start(
        launch(['hello', 'you'], { mounts, env: { PATH: '/tools:/usr/bin:/bin' } }),
        sink,
      );
      expect(await execution.exited).toMatchObject({ exitCode: 0 });
      expect(sink.text('stdout')).toBe('hello you\n');
    });

    it('names a program that is missing where only the sandbox can look', async () => {
      const mounts = [{ source: root, target: '/tools' }];
      const execution = await executor.start(
        launch(['absent'], { mounts, env: { PATH: '/tools' } }),
        new RecordingSink(),
      );
      const exit = await execution.exited;
      expect(exit).toMatchObject({ reason: 'command-not-found' });
      expect(exit.message).toContain('"absent"');
    });

    it('cannot run code outside by way of its environment', async () => {
      const text = await output('echo $LD_PRELOAD', { env: { LD_PRELOAD: '/nonexistent.so' } });
      expect(text).toContain('/nonexistent.so\n');
      expect(text).not.toContain('bwrap');
    });

    it('is shown no GPU unless it was granted one; simulated ones are never passed as real', async () => {
      const script =
        'echo "[$CUDA_VISIBLE_DEVICES][$NVIDIA_VISIBLE_DEVICES][$ROCR_VISIBLE_DEVICES]"; ' +
        'ls /dev | grep -c nvidia';
      expect(await output(script)).toBe('[][none][]\n0\n');
      expect(await output(script, {}, ['sim-h100-0'])).toBe('[][none][]\n0\n');
      const uuid = 'GPU-5b9c6b4e-1234-5678-9abc-def012345678';
      expect(await output('echo $CUDA_VISIBLE_DEVICES', {}, [uuid])).toBe(`${uuid}\n`);
    });
  },
);

describe('refusals', () => {
  it('a missing working directory is named', async () => {
    const error = await refusal(executor, ['true'], { sandbox: 'off', workingDirectory: '/no/such/folder' });
    expect(error).toMatchObject({ code: 'launch-failed' });
    expect(String(error)).toContain('/no/such/folder');
  });

  it.skipIf(why !== undefined)('so it is in a sandbox, as is a missing mount source', async () => {
    const folder = await refusal(executor, ['true'], { workingDirectory: '/no/such/folder' });
    expect(folder).toMatchObject({ code: 'launch-failed' });
    expect(String(folder)).toContain('/no/such/folder');
    const mount = await refusal(executor, ['true'], {
      mounts: [{ source: '/no/such/data', target: '/data' }],
    });
    expect(mount).toMatchObject({ code: 'launch-failed' });
    expect(String(mount)).toContain('/no/such/data');
  });

  it('a node that only runs sandboxed work refuses to run bare', async () => {
    expect(await refusal(strict, ['true'], { sandbox: 'off' })).toMatchObject({
      code: 'sandbox-unavailable',
    });
  });

  it('a bare workload is not given promises that cannot be kept', async () => {
    const bare = { sandbox: 'off' } as const;
    expect(await refusal(executor, ['true'], { ...bare, network: 'none' })).toMatchObject({
      code: 'sandbox-unavailable',
    });
    const mounts = [{ source: '/usr', target: '/data' }];
    expect(await refusal(executor, ['true'], { ...bare, mounts })).toMatchObject({
      code: 'sandbox-unavailable',
    });
  });

  it('a bare workload says so', async () => {
    const execution = await executor.start(launch(['true'], { sandbox: 'off' }), new RecordingSink());
    expect(execution.sandbox).toBe('none');
    expect(execution.limitations.join()).toContain('unsandboxed');
    await execution.exited;
  });
});
