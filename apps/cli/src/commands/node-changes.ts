import { formatDuration, nearest } from '@clawbernetes/kernel';
import type { CommandInput, NodeView } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { invalidArguments } from '../errors.ts';
import { count } from '../output/phrases.ts';

type TaintEffect = NodeView['taints'][number]['effect'];
const EFFECTS: readonly TaintEffect[] = ['no-schedule', 'prefer-no-schedule', 'no-execute'];

export async function cordonNode({ context, operands: [node = ''] }: Call): Promise<void> {
  const client = await context.client();
  const view = await client.command('node.cordon', { node });
  await context.print(
    view,
    () => `${view.name} is ${view.eligibility}: ${rest(view)}. ${undo(context, view)}`,
  );
}

export async function uncordonNode({ context, operands: [node = ''] }: Call): Promise<void> {
  const client = await context.client();
  const view = await client.command('node.uncordon', { node });
  await context.print(view, () => `${view.name} takes work again.`);
}

export async function drainNode({ context, operands: [node = ''], options }: Call): Promise<void> {
  const {
    force = false,
    deadline,
    maxParallel,
  } = options as {
    readonly force?: boolean;
    readonly deadline?: number;
    readonly maxParallel?: number;
  };
  const client = await context.client();
  const view = await client.command('node.drain', {
    ...{ node, force },
    ...(deadline === undefined ? {} : { deadlineMs: deadline }),
    ...(maxParallel === undefined ? {} : { maxParallel }),
  });
  const left = Math.max(0, (view.drain?.deadlineAtMs ?? 0) - context.clock.nowMs());
  const then =
    view.drain?.deadlineAtMs === undefined
      ? ''
      : `, and is moved to other nodes after ${formatDuration(left)}`;
  await context.print(
    view,
    () => `${view.name} is ${view.eligibility}: ${rest(view)}${then}. ${undo(context, view)}`,
  );
}

export async function retireNode({ context, operands: [node = ''], options }: Call): Promise<void> {
  const { force = false } = options as { readonly force?: boolean };
  const client = await context.client();
  const view = await client.command('node.retire', { node, force });
  await context.print(
    view,
    () =>
      `${view.name} is out of the fleet; stop its agent. ` +
      `To admit it anew: ${context.config.programName} node approve ${view.name}`,
  );
}

export async function labelNode({ context, operands: [node = '', ...words] }: Call): Promise<void> {
  const change = labelChange(words);
  const client = await context.client();
  const view = await client.command('node.label', { node, ...change });
  const labels = Object.entries(view.labels).map(([label, value]) => `${label}=${value}`);
  await context.print(view, () => `${view.name} has the labels ${labels.join(', ')}.`);
}

export async function taintNode({ context, operands: [node = '', ...words] }: Call): Promise<void> {
  const change = taintChange(words);
  const client = await context.client();
  const view = await client.command('node.taint', { node, ...change });
  const taints = view.taints.map(({ key, value, effect }) => `${key}${value && `=${value}`}:${effect}`);
  const leaving = view.taints.some(({ effect }) => effect === 'no-execute');
  const then = leaving ? ' Work that does not tolerate it is moved to other nodes.' : '';
  await context.print(view, () => `${view.name} has the taints ${taints.join(', ') || 'none'}.${then}`);
}

export async function thawFleet({ context }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('node.thaw', {});
  await context.print(answer, () =>
    answer.thawed === 0
      ? 'Nothing was frozen.'
      : `${count(answer.thawed, 'silent node')} are believed gone; the fleet goes on without them.`,
  );
}

/** `key=value` sets, `key-` removes. */
export function labelChange(words: readonly string[]): Omit<CommandInput<'node.label'>, 'node'> {
  const set: Record<string, string> = {};
  const remove: string[] = [];
  for (const word of words) {
    const equals = word.indexOf('=');
    if (equals > 0) set[word.slice(0, equals)] = word.slice(equals + 1);
    else if (equals < 0 && /.-$/.test(word)) remove.push(word.slice(0, -1));
    else throw invalidArguments(`"${word}" is no label; write key=value to set one and key- to remove one.`);
  }
  return { set, remove };
}

/** `key=value:effect` and `key:effect` add, `key:effect-` and `key-` remove. */
export function taintChange(words: readonly string[]): Omit<CommandInput<'node.taint'>, 'node'> {
  const add: { key: string; value: string; effect: TaintEffect }[] = [];
  const remove: { key: string; effect?: TaintEffect }[] = [];
  for (const word of words) {
    const [, key, , value = '', , text, minus] = /^([^=:]+?)(=([^:]*))?(:([a-z-]+?))?(-)?$/.exec(word) ?? [];
    if (key === undefined) throw badTaint(word);
    const effect = text === undefined ? undefined : effectOf(word, text);
    if (minus !== undefined) remove.push({ key, ...(effect && { effect }) });
    else if (effect) add.push({ key, value, effect });
    else throw badTaint(word);
  }
  return { add, remove };
}

function effectOf(word: string, text: string): TaintEffect {
  const effect = EFFECTS.find((known) => known === text);
  if (effect) return effect;
  const near = nearest(text, EFFECTS);
  throw invalidArguments(
    `"${word}": the effect is one of ${EFFECTS.join(', ')}${near ? `; did you mean ${near}?` : '.'}`,
  );
}

function badTaint(word: string): Error {
  return invalidArguments(
    `"${word}" is no taint; write key=value:no-schedule to add one, and key- to remove one.`,
  );
}

function rest({ attempts }: NodeView): string {
  return attempts === 0 ? 'nothing runs on it' : `${count(attempts, 'workload')} still on it`;
}

function undo({ config }: Context, { name }: NodeView): string {
  return `Undo with: ${config.programName} node uncordon ${name}`;
}
