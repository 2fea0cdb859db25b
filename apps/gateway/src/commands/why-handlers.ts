import type { CommandOutput, CommandRequest } from '@clawbernetes/protocol';
import type { CommandContext, HandlerDeps, Handlers } from './handler-context.ts';

/** Events of a workload that an answer is made of: its newest. */
const MAX_EVENTS = 200;

type WhyCommand = 'workload.why' | 'fleet.what-if';

export function whyHandlers(deps: HandlerDeps): Handlers<WhyCommand> {
  return {
    'workload.why': (request, context) => why(deps, request, context),
    'fleet.what-if': (request, context) => whatIf(deps, request, context),
  };
}

async function why(
  { fleet }: HandlerDeps,
  { workload: reference }: CommandRequest<'workload.why'>,
  { namespace, signal }: CommandContext,
): Promise<CommandOutput<'workload.why'>> {
  const workload = fleet.workload(namespace, reference);
  await fleet.durable();
  const events = await fleet.events({ from: 0, subject: workload.id, limit: MAX_EVENTS, newest: true });
  return await fleet.questions.whyInTurns(workload, events, { signal });
}

async function whatIf(
  { fleet }: HandlerDeps,
  { spec, count, drain, without }: CommandRequest<'fleet.what-if'>,
  { namespace, signal }: CommandContext,
): Promise<CommandOutput<'fleet.what-if'>> {
  const imagined = {
    namespace,
    ...(spec ? { spec } : {}),
    count,
    drained: drain.map((reference) => fleet.node(reference)),
    ended: without.map((reference) => fleet.workload(namespace, reference)),
  };
  return await fleet.questions.whatIfInTurns(imagined, { signal });
}
