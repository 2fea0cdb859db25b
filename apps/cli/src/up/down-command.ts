import { sleep, type Clock } from '@clawbernetes/kernel';
import type { Call } from '../declare/declaration.ts';
import { cliError } from '../errors.ts';
import { Progress } from './progress.ts';
import { isAlive, readUpRecord, removeUpRecord, type ProcessMark } from './up-record.ts';

/** Longer than `up` itself may take. */
const ENDS_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Ends what `up` started here: by asking `up` itself, or its children when it was killed and left them behind. */
export async function downCommand({ context }: Call): Promise<void> {
  const { home } = context.config;
  const record = await readUpRecord(home);
  const running = [record?.up, record?.node, record?.gateway].filter((mark) => mark && isAlive(mark));
  if (!record || running.length === 0) {
    await removeUpRecord(home);
    await context.print({ stopped: false }, () => `Nothing runs here (${home}).`);
    return;
  }
  const progress = new Progress(context);
  const { clock } = context;
  await progress.step(
    'Stopping',
    async () => {
      if (isAlive(record.up)) return end(clock, record.up);
      if (record.node) await end(clock, record.node);
      if (record.gateway) await end(clock, record.gateway);
      await removeUpRecord(home);
    },
    () => 'Everything that "up" started has stopped',
  );
  await context.print({ stopped: true }, () => '');
}

async function end(clock: Clock, mark: ProcessMark): Promise<void> {
  if (!isAlive(mark)) return;
  process.kill(mark.pid, 'SIGTERM');
  const deadlineMs = clock.monotonicMs() + ENDS_WITHIN_MS;
  while (isAlive(mark)) {
    if (clock.monotonicMs() > deadlineMs) {
      throw cliError('not-ready', `Process ${mark.pid} has not ended; end it with: kill -9 ${mark.pid}`);
    }
    await sleep(clock, LOOK_EVERY_MS);
  }
}
