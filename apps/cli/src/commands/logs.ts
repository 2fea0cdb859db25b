import type { Call } from '../declare/declaration.ts';
import { LogWriter } from '../output/log-writer.ts';

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
  for await (const entry of client.followLogs(workload, { follow, tail })) await writer.write(entry);
}
