import { formatDuration } from '@clawbernetes/kernel';
import type { WaitExplanation } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import { asTyped, count } from './phrases.ts';
import type { Facts } from './table.ts';

/** Why something waits, what is nearest to taking it, what would help, and when it will start. */
export function waitFacts(context: Context, waiting: WaitExplanation): Facts {
  const { config, terminal } = context;
  const { message, reason, nodes, obstacles, nearest, remedies, ahead } = waiting;
  return [
    ['Why', `${asTyped(message, config.programName)} ${terminal.colours.dim(`(${reason})`)}`],
    [
      'Nodes',
      obstacles.length > 0
        ? `${count(nodes, 'node')}: ${obstacles.map((one) => one.message).join(', ')}`
        : undefined,
    ],
    ['Nearest', nearest?.message],
    [
      'Ahead',
      ahead > 0 ? `${count(ahead, 'workload')} ${ahead === 1 ? 'has' : 'have'} waited longer` : undefined,
    ],
    ['Would help', remedies.map((remedy) => remedyText(context, remedy)).join('\n') || 'nothing small'],
    ['Starts', startText(context, waiting.start)],
  ];
}

type Remedy = WaitExplanation['remedies'][number];

function remedyText({ config, clock, terminal: { colours } }: Context, remedy: Remedy): string {
  const until = remedy.steps.flatMap(({ until: holders = [] }) => holders);
  const ends = until.map(({ endsAtMs = Infinity }) => endsAtMs).toSorted((left, right) => right - left);
  const [last] = ends;
  const when =
    last === undefined || last === Infinity
      ? ''
      : ` It ends in ${formatDuration(Math.max(0, last - clock.nowMs()))} at the latest.`;
  const doubt = remedy.certain ? '' : colours.dim(` ${doubtOf(remedy)}`);
  const commands = remedy.commands.map(
    (command) => `\n  ${colours.cyan(asTyped(command, config.programName))}`,
  );
  return `• ${remedy.message}${when}${doubt}${commands.join('')}`;
}

function doubtOf({ steps }: Remedy): string {
  return steps.some(({ step }) => step === 'reconnect')
    ? 'It starts then if nothing else keeps the node from work.'
    : 'What has waited longer would take the place first.';
}

function startText({ clock }: Context, { fromMs, toMs, message }: WaitExplanation['start']): string {
  if (fromMs === undefined || toMs === undefined) return `unknown. ${message}`;
  const nowMs = clock.nowMs();
  const [from, to] = [fromMs, toMs].map((atMs) => formatDuration(Math.max(0, atMs - nowMs)));
  const range = from === to ? `in ${from}` : `in ${from} to ${to}`;
  return `${range} (${timeOfDay(fromMs)} to ${timeOfDay(toMs)}). ${message}`;
}

function timeOfDay(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
