import type { Freeze, NodeRecord, NodeSummary } from '@clawbernetes/fleet';
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
  const { nodes, gpus, conspicuous } = fleet.counts();
  const settlement = deps.settlement?.status();
  return {
    gatewayId: gatewayIdOf(deps.key.publicKey),
    version: VERSION,
    startedAtMs: deps.startedAtMs,
    url: deps.options.url,
    storage: deps.storage,
    writerTerm: deps.writerTerm,
    nodes,
    gpus,
    workloads: fleet.workloadCounts(namespace),
    ...(settlement && { settlement }),
    ...(freeze && { frozen: freeze }),
    warnings: briefly([...freezeWarnings(freeze), ...settlementWarnings(settlement)], conspicuous, (node) =>
      warningsOf(fleet.nodeSummary(node)),
    ),
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
function briefly(
  first: readonly string[],
  nodes: readonly NodeRecord[],
  tell: (node: NodeRecord) => readonly string[],
): string[] {
  const told = [...first];
  for (const [index, node] of nodes.entries()) {
    if (told.length >= MAX_WARNINGS)
      return [...told, `${nodes.length - index} more like these; see clawbernetes node list.`];
    told.push(...tell(node));
  }
  return told;
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
