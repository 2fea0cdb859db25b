import type { Freeze, NodeSummary } from '@clawbernetes/fleet';
import { gatewayIdOf } from '@clawbernetes/identity';
import type { CommandOutput, CommandRequest } from '@clawbernetes/protocol';
import type { SettlementStatus } from '../settlement/settlement-keeper.ts';
import { VERSION } from '../version.ts';
import type { CommandContext, HandlerDeps, Handlers } from './handler-context.ts';

const MAX_WARNINGS = 20;

type FleetCommand = 'fleet.status' | 'event.list';

export function fleetHandlers(deps: HandlerDeps): Handlers<FleetCommand> {
  return {
    'fleet.status': (_request, context) => status(deps, context),
    'event.list': (request) => listEvents(deps, request),
  };
}

/** `next` never passes an event that is under way to the store: what was stored before the reading counts. */
async function listEvents(
  { fleet }: HandlerDeps,
  { from, subject, limit, newest: wantsNewest }: CommandRequest<'event.list'>,
): Promise<CommandOutput<'event.list'>> {
  const newest = fleet.eventSequence;
  await fleet.durable();
  const filter = subject === undefined ? {} : { subject };
  const events = await fleet.events({ from, limit, newest: wantsNewest, ...filter });
  const seen = wantsNewest || events.length < limit ? newest : 0;
  return { events, next: Math.max(from, seen + 1, (events.at(-1)?.sequence ?? 0) + 1) };
}

function status(deps: HandlerDeps, { namespace }: CommandContext): CommandOutput<'fleet.status'> {
  const { fleet } = deps;
  const { freeze } = fleet;
  const records = fleet.nodes();
  const nodes = records.map((node) => fleet.nodeSummary(node)).filter(isPresent);
  const approved = nodes.filter((node) => node.approved);
  const made = records.filter((node) => node.approved).flatMap((node) => node.inventory.gpus);
  const settlement = deps.settlement?.status();
  const counts: Record<string, number> = {};
  for (const { state } of fleet.workloads(namespace)) counts[state] = (counts[state] ?? 0) + 1;
  return {
    gatewayId: gatewayIdOf(deps.key.publicKey),
    version: VERSION,
    startedAtMs: deps.startedAtMs,
    url: deps.options.url,
    storage: deps.storage,
    writerTerm: deps.writerTerm,
    nodes: {
      total: approved.length,
      connected: approved.filter((node) => node.connectivity === 'connected').length,
      schedulable: approved.filter(isSchedulable).length,
      pending: nodes.length - approved.length,
    },
    gpus: {
      total: sum(approved.map((node) => node.capacity.gpus)),
      free: sum(approved.map((node) => node.free.gpus)),
      simulated: made.filter((gpu) => gpu.simulated).length,
    },
    workloads: counts,
    ...(settlement && { settlement }),
    ...(freeze && { frozen: freeze }),
    warnings: briefly([
      ...freezeWarnings(freeze),
      ...settlementWarnings(settlement),
      ...nodes.flatMap(warningsOf),
    ]),
  };
}

function settlementWarnings(settlement: SettlementStatus | undefined): readonly string[] {
  if (settlement?.message === undefined) return [];
  const { state, message } = settlement;
  return [state === 'failed' ? `The ledger cannot be used: ${message}` : message];
}

function freezeWarnings(freeze: Freeze | undefined): readonly string[] {
  if (!freeze) return [];
  return [
    `${freeze.silent} of ${freeze.of} nodes fell silent together: check the network of this gateway. ` +
      'Nothing is moved or given up until most are back; if they are gone: clawbernetes node thaw',
  ];
}

/** A fleet that is out of reach as a whole says so once, not once per node. */
function briefly(warnings: readonly string[]): string[] {
  const more = warnings.length - MAX_WARNINGS;
  return [
    ...warnings.slice(0, MAX_WARNINGS),
    ...(more > 0 ? [`${more} more like these; see clawbernetes node list.`] : []),
  ];
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}

/** Retired nodes are out of the fleet: node list shows them. */
function isPresent({ eligibility }: NodeSummary): boolean {
  return eligibility !== 'retired';
}

function isSchedulable(node: NodeSummary): boolean {
  return node.connectivity === 'connected' && node.eligibility === 'schedulable';
}

function warningsOf(node: NodeSummary): readonly string[] {
  const warnings = [];
  if (!node.approved)
    warnings.push(
      `${node.name} waits for approval (${node.fingerprint}): clawbernetes node approve ${node.name}`,
    );
  else if (node.connectivity !== 'connected') warnings.push(`${node.name} is ${node.connectivity}.`);
  if (node.healthReason !== undefined) warnings.push(`${node.name} is ${node.health}: ${node.healthReason}`);
  return warnings;
}
