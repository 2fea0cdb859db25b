import { formatDuration } from '@clawbernetes/kernel';
import { WORKLOAD_STATES } from '@clawbernetes/protocol/workload-state';
import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { paintState, type Colours } from '../output/colours.ts';
import { asTyped, count } from '../output/phrases.ts';
import { renderFacts } from '../output/table.ts';

type FleetStatus = CommandOutput<'fleet.status'>;

export async function showStatus({ context }: Call): Promise<void> {
  const client = await context.client();
  const status = await client.command('fleet.status', {});
  await context.print(status, () => statusText(context, status, client.url));
}

function statusText(
  { terminal: { colours }, clock, config }: Context,
  status: FleetStatus,
  url: string,
): string {
  const { nodes, gpus } = status;
  const program = config.programName;
  const uptime = formatDuration(Math.max(0, clock.nowMs() - status.startedAtMs));
  const waiting =
    nodes.pending > 0 ? `, ${nodes.pending} waiting for approval ("${program} node pending")` : '';
  const frozen = status.frozen ? `, ${colours.red('frozen, see below')}` : '';
  const simulated = gpus.simulated > 0 ? colours.yellow(` (${gpus.simulated} simulated)`) : '';
  const workloads = WORKLOAD_STATES.map((state) => [state, status.workloads[state] ?? 0] as const).filter(
    ([, amount]) => amount > 0,
  );
  const waits = (status.workloads['queued'] ?? 0) > 0;
  const facts = renderFacts([
    ['Gateway', `${url}, up ${uptime}\nversion ${status.version}, id ${status.gatewayId}`],
    ['Storage', status.storage],
    ['Ledger', status.settlement && ledgerLine(colours, status.settlement)],
    [
      'Nodes',
      `${nodes.connected} of ${count(nodes.total, 'node')} connected, ${nodes.schedulable} schedulable${waiting}${frozen}`,
    ],
    ['GPUs', gpus.total === 0 ? 'none' : `${gpus.free} of ${gpus.total} free${simulated}`],
    [
      'Workloads',
      workloads.map(([state, amount]) => `${amount} ${paintState(colours, state)}`).join(', ') ||
        `none yet; try: ${program} run -- echo hello`,
    ],
    ['', waits ? colours.dim(`why they wait: ${program} workload list --state queued`) : undefined],
  ]);
  return [
    facts,
    ...status.warnings.map((warning) => `${colours.yellow('!')} ${asTyped(warning, program)}`),
  ].join('\n');
}

function ledgerLine(
  { yellow, red }: Colours,
  { state, network }: NonNullable<FleetStatus['settlement']>,
): string {
  if (state === 'failed') return red('cannot be used, see below');
  if (state === 'opening') return 'is being read back from its journal';
  return network === 'main' ? 'main network' : `${network} network ${yellow('(tokens are worth nothing)')}`;
}
