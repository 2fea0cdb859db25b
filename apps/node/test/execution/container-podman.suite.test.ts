// Shows that containers on Podman behave as every executor must, but for what Podman itself does not tell.
import { describe } from 'vitest';
import type { ExecutorFixture } from '../../src/testing/executor-bench.ts';
import { executorSuite } from '../../src/testing/executor-suite.ts';
import { PodmanEngine, podmanEngineMissing } from '../../src/testing/podman-engine.ts';
import { until } from '../../src/testing/until.ts';
import { ContainerBench } from './container-bench.ts';

const missing = podmanEngineMissing();

describe.skipIf(missing !== undefined)(missing ? `Podman [skipped: ${missing}]` : 'Podman', () => {
  executorSuite('container executor', openFixture, {
    lacks: {
      'exact-signals': 'an engine reports a death by signal n as exit code 128 + n',
      'read-only-system': 'a container writes to a layer of its own',
      'recover-kills': 'containers outlive the supervisor and are adopted again',
      'cpu-limit': 'Podman does not report throttling',
    },
  });
});

async function openFixture(): Promise<ExecutorFixture> {
  const bench = await ContainerBench.on(await PodmanEngine.open());
  const executor = await bench.executor();
  return {
    executor,
    spec: { image: 'docker.io/library/busybox:latest' },
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
