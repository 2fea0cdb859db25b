// A supervisor that only starts one container and keeps its output in files; tests kill it.
import { appendFileSync } from 'node:fs';
import { setInterval } from 'node:timers';
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { ContainerExecutor, openContainerExecutor } from '../../src/execution/container-executor.ts';
import type { Launch } from '../../src/execution/executor.ts';

const [socketPath = '', owner = '', stateFolder = '', outputFolder = '', launchText = ''] =
  process.argv.slice(2);

const executor = await openContainerExecutor(
  { clock: systemClock, random: systemRandom, logger: silentLogger },
  { socketPath, environment: {}, owner, stateFolder, knownAttempts: [] },
);
if (!(executor instanceof ContainerExecutor)) throw new Error(executor.reason);
const execution = await executor.start(JSON.parse(launchText) as Launch, {
  write(stream, bytes) {
    appendFileSync(`${outputFolder}/${stream}`, bytes);
    return true;
  },
  drained: () => Promise.resolve(),
});
console.log(JSON.stringify(execution.handle));
setInterval(() => undefined, 1000);
