import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { invalidArguments } from '../errors.ts';
import { LogWriter } from '../output/log-writer.ts';
import { MAX_FOLLOWED_MEMBERS, memberLogs, ranksOf } from '../output/member-logs.ts';
import { outcome } from '../output/workload-phrases.ts';

interface LogOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly timestamps?: boolean;
  readonly stream?: 'stdout' | 'stderr';
  readonly rank?: number;
  readonly attempt?: number;
}

export async function showLogs({ context, operands: [workload = ''], options }: Call): Promise<void> {
  const { follow = false, tail, timestamps = false, stream, rank, attempt } = options as LogOptions;
  const client = await context.client();
  const writer = new LogWriter(context, { timestamps, stream });
  const ranks =
    rank === undefined ? ranksOf(await client.command('workload.inspect', { workload })) : undefined;
  if (ranks && ranks.length > MAX_FOLLOWED_MEMBERS)
    throw invalidArguments(
      `${workload} has ${ranks.length} members, more than the ${MAX_FOLLOWED_MEMBERS} that are shown at once; ` +
        'choose one with --rank.',
    );
  const entries = ranks
    ? memberLogs(client, workload, ranks, { follow, tail })
    : client.followLogs(workload, { follow, tail, rank, attempt });
  let empty = true;
  for await (const entry of entries) {
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
