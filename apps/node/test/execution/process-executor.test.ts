// Shows that the process executor keeps every promise of an executor, in a sandbox and bare, with control
// groups and without.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@clawbernetes/kernel';
import { openProcessExecutor, type ProcessExecutorOptions } from '../../src/execution/process-executor.ts';
import { pidsWithMarker } from '../../src/execution/process/process-table.ts';
import { attemptMarker } from '../../src/execution/process/workload-environment.ts';
import type { ExecutorCapability, ExecutorFixture } from '../../src/testing/executor-bench.ts';
import { executorSuite } from '../../src/testing/executor-suite.ts';

const isRoot = process.getuid?.() === 0;
const hasBubblewrap = spawnSync('bwrap', ['--ro-bind', '/', '/', 'true']).status === 0;

async function openFixture(
  sandbox: 'required' | 'off',
  options: Partial<ProcessExecutorOptions> = {},
): Promise<ExecutorFixture> {
  const scratch = await mkdtemp(join(tmpdir(), 'clawbernetes-executor-'));
  // Other users must get through, as `owner` has it.
  await chmod(scratch, 0o711);
  const executor = await openProcessExecutor(
    { clock: systemClock, logger: silentLogger },
    {
      scratch,
      policy: { allowUnsandboxed: sandbox === 'off' },
      cgroupName: `clawbernetes-test-${process.pid}`,
      maxProcesses: 200,
      ...options,
    },
  );
  return {
    executor,
    spec: { sandbox },
    leftovers: async (attemptId, { cgroups = [] }) => [
      ...pidsWithMarker(attemptMarker(attemptId)).map((pid) => `process ${pid}`),
      ...cgroups.filter((directory) => existsSync(directory)),
    ],
    async [Symbol.asyncDispose]() {
      await executor[Symbol.asyncDispose]();
      await rm(scratch, { recursive: true });
    },
  };
}

const bare = 'it runs without a sandbox';
const BARE_LACKS: Partial<Record<ExecutorCapability, string>> = {
  'private-tmp': bare,
  'read-only-system': bare,
  'no-network': bare,
};
const ungrouped = 'it runs without control groups';
const notRoot = 'needs control groups: run the tests as root';
const NO_LIMITS: Partial<Record<ExecutorCapability, string>> = {
  'memory-limit': isRoot ? ungrouped : notRoot,
  'cpu-limit': isRoot ? ungrouped : notRoot,
  'process-limit': isRoot ? ungrouped : notRoot,
};

const sandboxed = hasBubblewrap ? {} : { skip: 'needs bubblewrap: apt-get install bubblewrap' };
const asRoot = isRoot ? {} : { skip: 'needs root, which alone may become another user' };

executorSuite('process executor, sandboxed', () => openFixture('required'), {
  ...sandboxed,
  lacks: isRoot ? {} : NO_LIMITS,
});

executorSuite(
  'process executor, sandboxed, without control groups',
  () => openFixture('required', { useCgroups: false }),
  { ...sandboxed, lacks: NO_LIMITS },
);

executorSuite('process executor, bare', () => openFixture('off'), {
  lacks: { ...BARE_LACKS, ...(isRoot ? {} : NO_LIMITS) },
});

executorSuite(
  'process executor, bare, without control groups',
  () => openFixture('off', { useCgroups: false }),
  {
    lacks: {
      ...BARE_LACKS,
      ...NO_LIMITS,
      'kills-daemons': 'a daemon without environment can only be found by its group',
    },
  },
);

const nobody = { uid: 65534, gid: 65534 };

executorSuite(
  'process executor, sandboxed, as another user',
  () => openFixture('required', { owner: nobody }),
  {
    ...sandboxed,
    ...asRoot,
  },
);

executorSuite('process executor, bare, as another user', () => openFixture('off', { owner: nobody }), {
  ...asRoot,
  lacks: BARE_LACKS,
});
