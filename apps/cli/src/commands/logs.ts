import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { LogWriter } from '../output/log-writer.ts';
import { outcome } from '../output/workload-phrases.ts';

interface LogOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly timestamps?: boolean;
  readonly stream?: 'stdout' | 'stderr';
}

export async function showLogs({ context, operands: [workload = ''], options }: Call): Promise<void> {
  const { follow = false, tail, timestamps = false, stream } = options as LogOptions;
  const client = await context.client();
  const writer = new LogWriter(context, { timestamps, stream });
  let empty = true;
  for await (const entry of client.followLogs(workload, { follow, tail })) {
    empty = false;
    await writer.write(entry);
  }
  if (empty && tail !== 0 && context.format === 'table') await explainSilence(context, client, workload);
}

/** Nothing at all looks like a mistake, so it is said why. */
async function explainSilence(context: Context, client: Client, workload: string): Promise<void> {
  const view = await client.command('workload.inspect', { workload });
  const why = view.waiting?.message ?? view.message ?? '';
  context.remark(`${view.name} has printed nothing; it is ${outcome(view)}. ${why}`.trimEnd());
}
