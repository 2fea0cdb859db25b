import { apiError, type CommandOutput, type CommandRequest, type WorkloadView } from '@clawbernetes/protocol';
import { decodeRecords } from '@clawbernetes/telemetry';
import { beginOf, isComplete, loggedAttempt, logStart, readAttempt } from '../logs/follow-log.ts';
import type { CommandContext, HandlerDeps, Handlers } from './handler-context.ts';
import { encodeText } from './encode-text.ts';
import { waitForWorkload } from './wait-for-workload.ts';

/** Events shown of a workload: its newest. */
const MAX_EVENTS = 200;

type WorkloadCommand =
  'workload.run' | 'workload.stop' | 'workload.list' | 'workload.inspect' | 'workload.logs';

export function workloadHandlers(deps: HandlerDeps): Handlers<WorkloadCommand> {
  const { fleet } = deps;
  return {
    'workload.run': async ({ spec, idempotencyKey, waitMs }, context) => {
      const { namespace } = context;
      const workload = fleet.intake.submit({
        namespace,
        spec,
        ...(idempotencyKey ? { idempotencyKey } : {}),
      });
      await fleet.durable();
      await waitForWorkload(deps, workload.id, waitMs, context);
      return fleet.workloadView(workload);
    },
    'workload.stop': ({ workload: reference, force }, { namespace }) =>
      fleet.workloadView(fleet.intake.stop(fleet.workload(namespace, reference), force)),
    'workload.list': (request, context) => list(deps, request, context),
    'workload.inspect': (request, context) => inspect(deps, request, context),
    'workload.logs': (request, context) => logs(deps, request, context),
  };
}

/** In descending order of ids, which sort by time, so that a page begins below the cursor's id. */
function list(
  { fleet }: HandlerDeps,
  { states, limit, cursor }: CommandRequest<'workload.list'>,
  { namespace }: CommandContext,
): CommandOutput<'workload.list'> {
  const wanted = states && new Set<WorkloadView['state']>(states);
  const found = fleet
    .newestWorkloads(namespace, cursor)
    .filter(({ state }) => wanted === undefined || wanted.has(state))
    .take(limit + 1)
    .toArray();
  const shown = found.slice(0, limit);
  const last = found.length > limit ? shown.at(-1) : undefined;
  return {
    workloads: shown.map((workload) => fleet.workloadView(workload)),
    ...(last ? { next: last.id } : {}),
  };
}

async function inspect(
  deps: HandlerDeps,
  { workload: reference, waitMs }: CommandRequest<'workload.inspect'>,
  context: CommandContext,
): Promise<CommandOutput<'workload.inspect'>> {
  const { fleet } = deps;
  const workload = fleet.workload(context.namespace, reference);
  await waitForWorkload(deps, workload.id, waitMs, context);
  const events = await fleet.events({ from: 0, subject: workload.id, limit: MAX_EVENTS, newest: true });
  return { ...fleet.workloadView(workload), attempts: fleet.attemptViews(workload), events };
}

function logs(
  deps: HandlerDeps,
  { workload: reference, maxBytes, ...request }: CommandRequest<'workload.logs'>,
  { namespace }: CommandContext,
): CommandOutput<'workload.logs'> {
  const workload = deps.fleet.workload(namespace, reference);
  const { tail, rank, attempt: asked, position } = request;
  const from = {
    ...{ position, follow: false },
    ...(tail === undefined ? {} : { tail }),
    ...(rank === undefined ? {} : { rank }),
    ...(asked === undefined ? {} : { attempt: asked }),
  };
  const start = logStart(deps, workload, from);
  const attempt = readAttempt(deps.fleet, workload, { attempt: start.attempt, rank });
  const isLatest = attempt?.id === loggedAttempt(deps.fleet, workload, rank)?.id;
  const complete = isLatest && isComplete(deps, workload, rank);
  const whose = start.attempt === undefined ? {} : { attempt: start.attempt };
  const begin = beginOf(from, start);
  if (!attempt) return { entries: [], ...whose, position: begin, droppedBytes: 0, complete };
  const slice = deps.logs.read(attempt.id, begin, maxBytes);
  const entries = Array.from(decodeRecords(slice.records), ({ timeMs, stream, bytes }, index) => ({
    timeMs,
    stream,
    ...encodeText(index === 0 ? bytes.subarray(start.skipBytes) : bytes),
  }));
  const end = slice.position + slice.records.length;
  return {
    entries,
    ...whose,
    position: end,
    droppedBytes: slice.position - begin,
    complete: complete && end >= slice.end,
  };
}

/**
 * The live attempt of a workload, for commands that need one. @throws CodedError `not-found`, `not-running`.
 */
export function liveAttempt(
  { fleet }: HandlerDeps,
  reference: string,
  { namespace }: CommandContext,
  rank?: number,
): { attemptId: string; nodeId: string; workloadId: string } {
  const workload = fleet.workload(namespace, reference);
  const attempt = loggedAttempt(fleet, workload, rank);
  if (attempt?.state === 'running' || attempt?.state === 'stopping') {
    return { attemptId: attempt.id, nodeId: attempt.nodeId, workloadId: workload.id };
  }
  const whose = rank === undefined ? workload.name : `The member of rank ${rank} of ${workload.name}`;
  const state = rank === undefined ? workload.state : (attempt?.state ?? workload.state);
  throw apiError('not-running', `${whose} is ${state}, not running.`);
}
