import { waitsForApproval, type NodeRecord } from '@clawbernetes/fleet';
import { createJoinToken } from '@clawbernetes/identity';
import type { CommandOutput, CommandRequest, NodeView } from '@clawbernetes/protocol';
import type { CommandContext, HandlerDeps, Handlers } from './handler-context.ts';

type NodeCommand =
  | 'node.list'
  | 'node.info'
  | 'node.pending'
  | 'node.approve'
  | 'node.cordon'
  | 'node.uncordon'
  | 'node.drain'
  | 'node.undrain'
  | 'node.retire'
  | 'node.label'
  | 'node.taint'
  | 'node.thaw'
  | 'node.token'
  | 'gpu.release';

export function nodeHandlers(deps: HandlerDeps): Handlers<NodeCommand> {
  const { fleet } = deps;
  const { administration } = fleet;
  const change = (reference: string, apply: (node: NodeRecord) => NodeRecord): NodeView =>
    fleet.nodeView(apply(fleet.node(reference)));
  return {
    'node.list': (request) => listNodes(deps, request),
    'node.info': ({ node }) => fleet.nodeView(fleet.node(node)),
    'node.pending': () => {
      const pending = fleet.nodes().filter(waitsForApproval);
      return { nodes: pending.map((node) => fleet.nodeView(node)) };
    },
    'node.approve': async ({ node: reference }) => {
      const view = change(reference, (node) => fleet.registry.approve(node));
      await fleet.durable();
      deps.sessions.approved(view.id, fleet);
      return view;
    },
    'node.cordon': ({ node }) => change(node, (found) => administration.cordon(found)),
    'node.uncordon': ({ node }) => change(node, (found) => administration.uncordon(found)),
    'node.undrain': ({ node }) => change(node, (found) => administration.uncordon(found)),
    'node.drain': (request, context) => change(request.node, (node) => drain(deps, node, request, context)),
    'node.retire': ({ node, force }) =>
      change(node, (found) => (force ? administration.abandon(found) : administration.retire(found))),
    'node.label': ({ node, ...labels }) => change(node, (found) => administration.label(found, labels)),
    'node.taint': ({ node, ...taints }) => change(node, (found) => administration.taint(found, taints)),
    'node.thaw': () => ({ thawed: fleet.registry.thaw() }),
    'node.token': (request) => makeToken(deps, request),
    'gpu.release': ({ node, gpu }) => change(node, (found) => fleet.gpuHealth.release(found, gpu)),
  };
}

function drain(
  deps: HandlerDeps,
  node: NodeRecord,
  { force, deadlineMs, maxParallel }: CommandRequest<'node.drain'>,
  context: CommandContext,
): NodeRecord {
  const draining = deps.fleet.administration.drain(node, {
    maxParallel,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  if (force) stopAll(deps, node, context);
  return draining;
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
