import {
  hasEnded,
  type ObstacleCount,
  type PlacementReason,
  type WaitExplanation,
  type WhatIf,
  type WhyView,
} from '@clawbernetes/protocol';

/** Things that are named in a sentence; the rest is counted. */
const NAMED = 3;

/** The answer to why, in a few sentences. */
export function describeWhy({ name, state, waiting, placement, chain }: Omit<WhyView, 'message'>): string {
  if (waiting) return `${name} waits. ${describeWaiting(waiting)}`;
  const last = chain.at(-1)?.message;
  if (hasEnded(state) && last !== undefined)
    return [last, placement && placementText(placement)].filter(Boolean).join(' ');
  const is = `${name} is ${state}.`;
  const evicted = chain.findLast(({ type }) => type === 'attempt.evicted');
  const why = state === 'stopping' || state === 'preempting' ? evicted?.message : undefined;
  return [is, why, placement && placementText(placement)].filter(Boolean).join(' ');
}

function describeWaiting({ message, nodes, obstacles, nearest, remedies, start }: WaitExplanation): string {
  const [remedy] = remedies;
  return [
    message,
    obstacles.length > 0 ? `Of ${counted(nodes, 'node')}: ${listed(obstacles)}.` : undefined,
    nearest && `Nearest is ${nearest.message}`,
    remedy && `What would help: ${remedy.message}`,
    start.estimate === 'unknown' ? `Start unknown: ${start.message}` : undefined,
  ]
    .filter(Boolean)
    .join(' ');
}

function listed(obstacles: readonly ObstacleCount[]): string {
  return obstacles.map(({ message }) => message).join(', ');
}

function placementText(placement: PlacementReason): string {
  const { node, nodes, candidates, retried, cost, runnerUp, others = [] } = placement;
  if (nodes === undefined || candidates === undefined || cost === undefined)
    return `It was placed on ${node}.`;
  const looked = retried
    ? `It had waited; of ${counted(nodes, 'node')} that changed ${candidates} had room`
    : `Of ${counted(nodes, 'node')} ${candidates} had room`;
  const second = runnerUp ? `, ${runnerUp.node} would have been second (${figure(runnerUp.cost)})` : '';
  const chosen = runnerUp ? `${node} costs the rest of the fleet least (${figure(cost)})${second}` : node;
  const rest = others.length > 0 ? ` Of the others ${listed(others)}.` : '';
  return `${looked}: ${chosen}.${rest}`;
}

/** Costs differ in their first digits or not at all. */
function figure(cost: number): string {
  return String(Number(cost.toPrecision(6)));
}

interface Supposed {
  readonly drained: readonly { readonly name: string }[];
  readonly ended: readonly { readonly name: string }[];
}

/** The answer to what if, in a few sentences. */
export function describeOutcome(told: Omit<WhatIf, 'message'>, supposed: Supposed): string {
  const sentences = [
    ...askedSentences(told),
    ...drainSentences(told, supposed),
    ...endSentences(told, supposed),
  ];
  return sentences.join(' ');
}

function askedSentences({ starts, waits, waiting }: Omit<WhatIf, 'message'>): readonly string[] {
  const total = starts.length + waits;
  if (total === 0) return [];
  const where = named([...new Set(starts.map(({ node }) => node))]);
  const all = total === 1 ? 'It' : `All ${total}`;
  if (waits === 0) return [`${all} would start now, on ${where}.`];
  const some =
    starts.length > 0
      ? `${starts.length} of ${total} would start now, on ${where}; ${waits} would wait.`
      : `${all} would wait.`;
  return waiting ? [some, describeWaiting(waiting)] : [some];
}

function drainSentences(
  { moves, stranded }: Omit<WhatIf, 'message'>,
  { drained }: Supposed,
): readonly string[] {
  if (drained.length === 0) return [];
  const names = named(drained.map(({ name }) => name));
  if (moves.length + stranded.length === 0) return [`Nothing runs on ${names}: it could be drained at once.`];
  const go = named(moves.map(({ name, node }) => `${name} to ${node}`));
  return [
    `Without ${names}:`,
    moves.length > 0 ? `${counted(moves.length, 'workload')} would move (${go})` : 'nothing could move',
    stranded.length > 0
      ? `and ${counted(stranded.length, 'workload')} would not find a place or end (${named(stranded.map(({ name }) => name))}).`
      : 'and nothing would wait.',
  ];
}

function endSentences({ unblocked }: Omit<WhatIf, 'message'>, { ended }: Supposed): readonly string[] {
  if (ended.length === 0 && unblocked.length === 0) return [];
  const names = named(ended.map(({ name }) => name));
  const start = named(unblocked.map(({ name, node }) => `${name} on ${node}`));
  const after = ended.length > 0 ? `Once ${names} ${ended.length === 1 ? 'has' : 'have'} ended, ` : '';
  const what =
    unblocked.length > 0
      ? `${counted(unblocked.length, 'waiting workload')} would start: ${start}.`
      : 'nothing that waits now could start.';
  return [sentence(`${after}${what}`)];
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

function counted(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

export function named(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
