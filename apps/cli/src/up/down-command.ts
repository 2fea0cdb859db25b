import type { Call } from '../declare/declaration.ts';
import { cliError } from '../errors.ts';
import { endProcess } from './end-process.ts';
import { isAlive, type ProcessMark } from './process-mark.ts';
import { Progress } from './progress.ts';
import { endSupervisor } from './supervisor-end.ts';
import { readUpRecord, removeUpRecord } from './up-record.ts';

/** Longer than `up` itself may take. */
const ENDS_WITHIN_MS = 60_000;

/**
 * Ends what `up` started here: by asking `up` itself, or its children when it was killed and left them
 * behind.
 */
export async function downCommand({ context }: Call): Promise<void> {
  const { clock, config } = context;
  const record = await readUpRecord(config.home);
  const running = [record?.up, record?.node, record?.gateway].filter((mark) => mark && isAlive(mark));
  if (!record || running.length === 0) {
    await endSupervisor(clock, config.home);
    await removeUpRecord(config.home);
    await context.print({ stopped: false }, () => `Nothing runs here (${config.home}).`);
    return;
  }
  const end = async (mark: ProcessMark | undefined): Promise<void> => {
    if (!mark || (await endProcess(clock, mark, { signal: 'SIGTERM', withinMs: ENDS_WITHIN_MS }))) return;
    throw cliError('not-ready', `Process ${mark.pid} has not ended; end it with: kill -9 ${mark.pid}`);
  };
  const all = async (): Promise<void> => {
    for (const mark of [record.up, record.node]) await end(mark);
    await endSupervisor(clock, config.home);
    await end(record.gateway);
    await removeUpRecord(config.home);
  };
  await new Progress(context).step('Stopping', all, () => 'Everything that "up" started has stopped');
  await context.print({ stopped: true }, () => '');
}
