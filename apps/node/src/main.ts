import { errorMessage, systemClock } from '@clawbernetes/kernel';
import { parseConfig } from './config.ts';
import { exitCodeOf } from './errors.ts';
import { collectWhenIdle, PROCESS_MEMORY } from './platform/idle-collection.ts';
import { openLineLogger } from './platform/line-logger.ts';
import { runNode } from './run-node.ts';
import { VERSION } from './version.ts';

/** The node's process; answers its exit code. */
async function main(): Promise<number> {
  const parsed = parseConfig(process.argv.slice(2), process.env);
  if (parsed.kind !== 'run') {
    process.stdout.write(parsed.kind === 'help' ? parsed.text : `${VERSION}\n`);
    return 0;
  }
  collectWhenIdle({ clock: systemClock, ...PROCESS_MEMORY });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const logger = openLineLogger(
    { nowMs: () => systemClock.nowMs(), write: (line) => void process.stderr.write(line) },
    parsed.config.logging,
  );
  const reason = await runNode(parsed.config, { logger, signal: stop.signal });
  if (reason) process.stderr.write(`clawnode: ${reason.message}\n`);
  return reason ? exitCodeOf(reason) : 0;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`clawnode: ${errorMessage(error)}\n`);
    process.exit(exitCodeOf(error));
  },
);
