// Shows that containers on a real Docker engine behave as every executor must.
import { describe } from 'vitest';
import type { ExecutorFixture } from '../../src/testing/executor-bench.ts';
import { dockerEngineMissing } from '../../src/testing/docker-engine.ts';
import { executorSuite } from '../../src/testing/executor-suite.ts';
import { until } from '../../src/testing/until.ts';
import { ContainerBench } from './container-bench.ts';

const missing = dockerEngineMissing();

describe.skipIf(missing !== undefined)(missing ? `containers [skipped: ${missing}]` : 'containers', () => {
  executorSuite('container executor', openFixture, {
    lacks: {
      'exact-signals': 'an engine reports a death by signal n as exit code 128 + n',
      'read-only-system': 'a container writes to a layer of its own',
      'recover-kills': 'containers outlive the supervisor and are adopted again',
    },
  });
});

async function openFixture(): Promise<ExecutorFixture> {
  const bench = await ContainerBench.open();
  const executor = await bench.executor();
  return {
    executor,
    spec: { image: 'busybox' },
    async leftovers() {
      await until('the container is removed', async () => (await bench.containers()).length === 0);
      return bench.containers();
    },
    async [Symbol.asyncDispose]() {
      await executor[Symbol.asyncDispose]();
      await bench[Symbol.asyncDispose]();
    },
  };
}
