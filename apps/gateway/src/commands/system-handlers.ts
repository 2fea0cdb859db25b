import type { Json } from '@clawbernetes/kernel';
import type { NodeRecord } from '@clawbernetes/fleet';
import {
  apiError,
  commands,
  workloadSpecSchema,
  type CommandName,
  type CommandOutput,
  type CommandRequest,
} from '@clawbernetes/protocol';
import type { CommandContext, HandlerDeps, Handlers } from './handler-context.ts';
import { invalidInput } from './invalid-input.ts';
import { readOutput } from './read-output.ts';
import { waitForWorkload } from './wait-for-workload.ts';
import { liveAttempt } from './workload-handlers.ts';

const PROBE_DEADLINE_MS = 15_000;
const STATS_DEADLINE_MS = 5_000;
/** For a system.run to get a place, beside its own time. */
const QUEUE_MS = 30_000;

type SystemCommand =
  | 'system.info'
  | 'system.run'
  | 'gpu.list'
  | 'gpu.metrics'
  | 'node.capabilities'
  | 'node.health'
  | 'workload.stats'
  | 'container.exec';

export function systemHandlers(deps: HandlerDeps): Handlers<SystemCommand> {
  return {
    'system.info': (request) => ask(deps, 'system.info', request),
    'gpu.metrics': (request) => ask(deps, 'gpu.metrics', request),
    'node.capabilities': (request) => ask(deps, 'node.capabilities', request),
    'node.health': (request) => ask(deps, 'node.health', request),
    'gpu.list': ({ node }) => listGpus(deps, node),
    'system.run': (request, context) => run(deps, request, context),
    'workload.stats': async ({ workload: reference, rank }, context) => {
      const { workloadId, ...target } = liveAttempt(deps, reference, context, rank);
      return forward(
        deps,
        'workload.stats',
        target.nodeId,
        { workload: workloadId, attemptId: target.attemptId },
        STATS_DEADLINE_MS,
      );
    },
    'container.exec': async ({ rank, ...request }, context) => {
      const { workloadId, attemptId, nodeId } = liveAttempt(deps, request.workload, context, rank);
      return forward(
        deps,
        'container.exec',
        nodeId,
        { ...request, workload: workloadId, attemptId },
        request.timeoutMs,
      );
    },
  };
}

type Probe = 'system.info' | 'gpu.metrics' | 'node.capabilities' | 'node.health';

function ask<Name extends Probe>(
  deps: HandlerDeps,
  name: Name,
  request: { readonly node?: string | undefined },
): Promise<CommandOutput<Name>> {
  const node = chooseNode(deps, request.node);
  return forward(deps, name, node.id, { node: node.name }, PROBE_DEADLINE_MS);
}

/**
 * Sends a command to its node and checks the answer against the command's schema: a node is not trusted to be
 * right.
 */
async function forward<Name extends CommandName>(
  { fleet, sessions }: HandlerDeps,
  name: Name,
  nodeId: string,
  params: Json,
  deadlineMs: number,
): Promise<CommandOutput<Name>> {
  const node = fleet.node(nodeId);
  const answer = commands[name].output.safeParse(
    await sessions.commands.send(node, name, params, deadlineMs),
  );
  if (answer.success) return answer.data as CommandOutput<Name>;
  throw apiError(
    'internal',
    `${node.name} answered ${name} in a form that this gateway does not know; upgrade the older of the two.`,
  );
}

/** The named node, or the only one. @throws CodedError `not-found`, `node-ambiguous`. */
function chooseNode({ fleet }: HandlerDeps, reference: string | undefined): NodeRecord {
  if (reference !== undefined) return fleet.node(reference);
  const [only, ...others] = fleet.nodes().filter((node) => node.approved);
  if (only && others.length === 0) return only;
  if (!only)
    throw apiError('not-found', 'The fleet has no nodes yet; start clawnode on a machine to add one.');
  const names = [only, ...others].slice(0, 5).map((node) => node.name);
  throw apiError(
    'node-ambiguous',
    `The fleet has ${others.length + 1} nodes; say which with "node": ${names.join(', ')}…`,
  );
}

function listGpus({ fleet }: HandlerDeps, reference: string | undefined): CommandOutput<'gpu.list'> {
  const nodes =
    reference === undefined ? fleet.nodes().filter((node) => node.approved) : [fleet.node(reference)];
  return {
    gpus: nodes.flatMap((node) => fleet.gpuViews(node).map((gpu) => ({ ...gpu, node: node.name }))),
    links: nodes.flatMap((node) => node.inventory.gpuLinks.map((link) => ({ ...link, node: node.name }))),
  };
}

async function run(
  deps: HandlerDeps,
  request: CommandRequest<'system.run'>,
  context: CommandContext,
): Promise<CommandOutput<'system.run'>> {
  const { fleet } = deps;
  const node = chooseNode(deps, request.node);
  const { command, env, timeoutMs, name } = request;
  const spec = workloadSpecSchema.safeParse({ command, env, timeoutMs, name });
  if (!spec.success) throw invalidInput('system.run', spec.error.issues);
  const { namespace } = context;
  const workload = fleet.intake.submit({ namespace, spec: spec.data, nodeId: node.id });
  await fleet.durable();
  await waitForWorkload(deps, workload.id, timeoutMs + spec.data.stopGraceMs + QUEUE_MS, context);
  const view = fleet.workloadView(workload);
  if (view.finishedAtMs === undefined) {
    fleet.intake.stop(fleet.workload(context.namespace, workload.id), true);
    const why = view.waiting?.message ?? `It is ${view.state}.`;
    throw apiError('timeout', `The command did not end on ${node.name} in time and was stopped. ${why}`);
  }
  return {
    workload: workload.id,
    ...(await readOutput(deps, workload.id, request.maxOutputBytes)),
    ...endOf(view),
  };
}

function endOf(view: {
  exitCode?: number | undefined;
  signal?: string | undefined;
  endReason?: string | undefined;
}): {
  exitCode?: number;
  signal?: string;
  timedOut: boolean;
} {
  return {
    ...(view.exitCode === undefined ? {} : { exitCode: view.exitCode }),
    ...(view.signal === undefined ? {} : { signal: view.signal }),
    timedOut: view.endReason === 'timeout',
  };
}
