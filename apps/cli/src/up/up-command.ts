import type { NodeView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { attach } from '../run/foreground.ts';
import { FIRST_WORKLOAD } from './first-workload.ts';
import { describeHardware, howToGoOn } from './greeting.ts';
import { LocalFleet } from './local-fleet.ts';
import { Progress } from './progress.ts';
import { refuseSecondFleet } from './running-fleet.ts';
import { StopSignals } from './stop-signals.ts';
import type { UpOptions } from './up-options.ts';

const INTERRUPTED = 130;

/**
 * Starts a fleet on this machine and keeps it until it is told to stop; whatever happens, nothing is left
 * behind.
 */
export async function upCommand({ context, options }: Call<UpOptions>): Promise<number> {
  await refuseSecondFleet(context);
  const progress = new Progress(context);
  const fleet = new LocalFleet(context, options, progress);
  using signals = new StopSignals(context);
  try {
    return await Promise.race([
      keepUp(context, fleet, options, signals),
      signals.requested.then(() => (options.once ? INTERRUPTED : 0)),
    ]);
  } finally {
    if (signals.received) progress.note('\nStopping everything. Once more does not wait.');
    await fleet.stop(signals.force);
  }
}

async function keepUp(
  context: Context,
  fleet: LocalFleet,
  options: UpOptions,
  signals: StopSignals,
): Promise<number> {
  const { client, node } = await fleet.start();
  return Promise.race([fleet.lost(), show(context, client, node, options, signals)]);
}

/** With `--once` answers the first workload's exit code, else never. */
async function show(
  context: Context,
  client: Client,
  node: NodeView,
  options: UpOptions,
  signals: StopSignals,
): Promise<number> {
  const description = describeHardware(context, node, client.url);
  await context.print({ url: client.url, home: context.config.home, node }, () => `\n${description}`);
  if (options.demo || options.once) {
    const exitCode = await firstWorkload(context, client, node, signals);
    if (options.once) return exitCode;
  }
  if (context.format === 'table') await context.print(undefined, () => `\n${howToGoOn(context)}`);
  return new Promise<never>(() => undefined);
}

async function firstWorkload(
  context: Context,
  client: Client,
  node: NodeView,
  signals: StopSignals,
): Promise<number> {
  const { bold } = context.terminal.errorColours;
  context.remark(
    `\n${bold('A first workload:')} it makes a file of random data on ${node.name} and hashes it.`,
  );
  const workload = await client.run({ ...FIRST_WORKLOAD, nodeSelector: { node: node.name } });
  const leaving = { detached: signals.requested, stopRequested: false };
  return (await attach(context, client, workload, { quiet: false, leaving })) ?? INTERRUPTED;
}
