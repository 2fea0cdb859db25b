import { errorMessage, systemClock, systemRandom } from '@clawbernetes/kernel';
import { collectWhenIdle, PROCESS_MEMORY } from '../platform/idle-collection.ts';
import { FileLogger } from './file-logger.ts';
import { supervisorPaths } from './supervisor-paths.ts';
import { machineUptimeMs } from './machine-uptime.ts';
import { openSupervisorProcess } from './supervisor-process.ts';
import type { StartSettings } from './supervisor-settings.ts';

/** How long workloads get to end by themselves when the system itself is going down. */
const SYSTEM_STOP_GRACE_MS = 10_000;

// The agent is the only one that starts this program, and wrote the settings.
const settings = JSON.parse(process.argv[2] ?? '{}') as StartSettings;
const logger = new FileLogger(systemClock, supervisorPaths(settings.stateFolder).log, { pid: process.pid });
process.title = 'claw-supervisor';

// A slip in the care for one workload must not end all the others with it.
process.on('uncaughtException', (error) => logger.error('Unexpected failure', { error: error.stack }));
process.on('unhandledRejection', (error) =>
  logger.error('Unexpected failure', { error: errorMessage(error) }),
);
for (const signal of ['SIGHUP', 'SIGINT', 'SIGPIPE'] as const) process.on(signal, () => undefined);

const host = {
  clock: systemClock,
  random: systemRandom,
  logger,
  environment: process.env,
  uptimeMs: machineUptimeMs,
  atTurnEnd: setImmediate,
  exit,
};
const supervisor = await openSupervisorProcess(host, settings).catch((error: unknown) => {
  logger.error('The supervisor cannot start', { error: errorMessage(error) });
  process.exit(1);
});
// Another one serves the folder already.
if (!supervisor) process.exit(0);
process.once('SIGTERM', () => void supervisor.core.shutdown({ graceMs: SYSTEM_STOP_GRACE_MS }).then(exit));
collectWhenIdle({ clock: systemClock, ...PROCESS_MEMORY });
logger.info('Supervisor started', { version: settings.version, attempts: supervisor.core.liveAttempts });

function exit(): void {
  logger.info('Supervisor ends');
  void supervisor?.[Symbol.asyncDispose]().then(
    () => process.exit(0),
    () => process.exit(1),
  );
}
