import type { NodeRecord, NodeSummary } from '@clawbernetes/fleet';
import { createJoinToken, gatewayIdOf } from '@clawbernetes/identity';
import type { CommandOutput, CommandRequest, NodeView } from '@clawbernetes/protocol';
import type { SettlementStatus } from '../settlement/settlement-keeper.ts';
import { VERSION } from '../version.ts';
import type { CommandContext, HandlerDeps, Handlers } from './handler-context.ts';

const MAX_WARNINGS = 20;

type FleetCommand =
  | 'fleet.status'
  | 'node.list'
  | 'node.info'
  | 'node.pending'
  | 'node.approve'
  | 'node.drain'
  | 'node.undrain'
  | 'node.token'
  | 'event.list';

export function fleetHandlers(deps: HandlerDeps): Handlers<FleetCommand> {
  const { fleet } = deps;
  const change = (reference: string, apply: (node: NodeRecord) => NodeRecord): NodeView =>
    fleet.nodeView(apply(fleet.node(reference)));
  return {
    'fleet.status': (_request, context) => status(deps, context),
    'node.list': (request) => listNodes(deps, request),
    'node.info': ({ node }) => fleet.nodeView(fleet.node(node)),
    'node.pending': () => {
      const pending = fleet.nodes().filter((node) => !node.approved);
      return { nodes: pending.map((node) => fleet.nodeView(node)) };
    },
    'node.approve': async ({ node: reference }) => {
      const view = change(reference, (node) => fleet.registry.approve(node));
      await fleet.durable();
      deps.sessions.approved(view.id, fleet);
      return view;
    },
    'node.drain': ({ node: reference, force }, context) =>
      change(reference, (node) => {
        if (force) stopAll(deps, node, context);
        return fleet.registry.drain(node);
      }),
    'node.undrain': ({ node: reference }) => change(reference, (node) => fleet.registry.undrain(node)),
    'node.token': (request) => makeToken(deps, request),
    'event.list': (request) => listEvents(deps, request),
  };
}

function listNodes(
  { fleet }: HandlerDeps,
  { limit, cursor }: CommandRequest<'node.list'>,
): CommandOutput<'node.list'> {
  const after = fleet.nodes().filter((node) => cursor === undefined || node.name > cursor);
  const page = after.slice(0, limit);
  const last = after.length > limit ? page.at(-1) : undefined;
  return { nodes: page.map((node) => fleet.nodeView(node)), ...(last ? { next: last.name } : {}) };
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

function stopAll({ fleet }: HandlerDeps, node: NodeRecord, { namespace }: CommandContext): void {
  for (const attempt of fleet.liveAttempts(node.id)) {
    fleet.intake.stop(fleet.workload(namespace, attempt.workloadId), false);
  }
}

function makeToken(
  { fleet, key, random, clock }: HandlerDeps,
  { approve, lifetimeMs }: CommandRequest<'node.token'>,
): CommandOutput<'node.token'> {
  const { token, tokenId, secretHash } = createJoinToken({ gatewayPublicKey: key.publicKey, random });
  const expiresAtMs = clock.nowMs() + lifetimeMs;
  fleet.addJoinToken({ id: tokenId, secretHash, approve, expiresAtMs });
  return { token, expiresAtMs };
}

function status(deps: HandlerDeps, { namespace }: CommandContext): CommandOutput<'fleet.status'> {
  const { fleet } = deps;
  const records = fleet.nodes();
  const nodes = records.map((node) => fleet.nodeSummary(node));
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
    warnings: briefly([...settlementWarnings(settlement), ...nodes.flatMap(warningsOf)]),
  };
}

function settlementWarnings(settlement: SettlementStatus | undefined): readonly string[] {
  if (settlement?.message === undefined) return [];
  const { state, message } = settlement;
  return [state === 'failed' ? `The ledger cannot be used: ${message}` : message];
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
