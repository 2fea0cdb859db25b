// An agent as a process of its own, for tests that kill it: connects, launches what it is told to, waits.
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { connectSupervisor, type ConnectSupervisorOptions } from '../../src/supervisor/socket-supervisor.ts';
import { until } from '../../src/testing/until.ts';
import type { Launch } from '../../src/execution/executor.ts';

// The test that starts this program writes its argument.
const { options, launches, stops } = JSON.parse(process.argv[2] ?? '') as {
  options: ConnectSupervisorOptions;
  launches: readonly Launch[];
  /** Attempts to order the end of, once they print. */
  stops: readonly string[];
};
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger, environment: process.env };
const supervisor = await connectSupervisor(deps, options);
for (const launch of launches) await supervisor.launch({ ...launch, contactMs: supervisor.uptimeMs() });
for (const attemptId of stops) {
  await until('it prints', async () => (await supervisor.readLog(attemptId, 0, 100)).end > 0);
  await supervisor.stop(attemptId, { graceMs: 20_000 });
}
console.log('launched');
