import type { CommandInput, CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { invalidArguments } from '../errors.ts';
import { asTyped, count } from '../output/phrases.ts';
import { renderFacts, renderTable } from '../output/table.ts';
import { waitFacts } from '../output/wait-text.ts';
import { devicesText } from '../output/workload-phrases.ts';
import type { RunOptions } from '../run/run-options.ts';
import { inOptions } from '../run/in-options.ts';
import { workloadRequest } from '../run/workload-request.ts';

type WhatIf = CommandOutput<'fleet.what-if'>;
type Question = CommandInput<'fleet.what-if'>;

interface WhatIfOptions extends RunOptions {
  readonly image?: string;
  readonly count?: number;
  readonly drain?: readonly string[];
  readonly without?: readonly string[];
}

/** Stands for what would run: nothing runs, so it does not matter. */
const ANY_PROGRAM = ['true'];

export async function imagine({ context, operands, options }: Call<WhatIfOptions>): Promise<void> {
  const client = await context.client();
  const question = { ...changes(operands, options), ...(await work(context, options, client.url)) };
  if (Object.keys(question).length === 0)
    throw invalidArguments(
      'What to imagine is missing; write, for example: clawbernetes what-if --gpus 4, ' +
        'what-if drain <node>, what-if without <workload>.',
    );
  const answer = await client.command('fleet.what-if', question).catch((error: unknown) => {
    throw inOptions(error);
  });
  await context.print(answer, () => answerText(context, answer));
}

function changes(
  [change, ...names]: readonly string[],
  options: WhatIfOptions,
): Pick<Question, 'drain' | 'without'> {
  if (change !== undefined && change !== 'drain' && change !== 'without')
    throw invalidArguments(`"${change}" is nothing to imagine; write drain <node> or without <workload>.`);
  if (change !== undefined && names.length === 0)
    throw invalidArguments(
      `Write which ${change === 'drain' ? 'node' : 'workload'}: what-if ${change} <name>.`,
    );
  const drain = [...(options.drain ?? []), ...(change === 'drain' ? names : [])];
  const without = [...(options.without ?? []), ...(change === 'without' ? names : [])];
  return { ...(drain.length > 0 ? { drain } : {}), ...(without.length > 0 ? { without } : {}) };
}

const OWN: ReadonlySet<string> = new Set(['drain', 'without', 'format', 'gateway', 'color']);

/** The work that is asked for, if any option describes some. */
async function work(
  { config }: Context,
  { image, count: amount, ...options }: WhatIfOptions,
  gatewayUrl: string,
): Promise<Pick<Question, 'spec' | 'count'>> {
  const isAsked = Object.keys(options).some((name) => !OWN.has(name));
  if (!isAsked && image === undefined && amount === undefined) return {};
  const request = { operands: image === undefined ? [] : [image], options, gatewayUrl };
  const spec = await workloadRequest({ ...config, afterDashes: ANY_PROGRAM }, request);
  return { spec, ...(amount === undefined ? {} : { count: amount }) };
}

function answerText(context: Context, answer: WhatIf): string {
  const { waiting, starts, moves, unblocked, stranded } = answer;
  return [
    headline(context, answer),
    placesText(context, starts.length > 1 ? 'WOULD START' : '', starts.length > 1 ? grouped(starts) : []),
    waiting ? `\n${renderFacts(waitFacts(context, waiting))}` : '',
    placesText(context, 'WOULD MOVE', moves),
    strandedText(context, stranded),
    placesText(context, 'WOULD START OF WHAT WAITS', unblocked),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function strandedText({ config }: Context, stranded: WhatIf['stranded']): string {
  const lines = stranded.map(({ name, message }) => `${name}: ${asTyped(message, config.programName)}`);
  return lines.length > 0 ? `\nWOULD WAIT OR END\n${lines.join('\n')}` : '';
}

/** What is told below in full is not told twice. */
function headline({ config }: Context, { message, starts, waits, waiting }: WhatIf): string {
  const [first] = starts;
  if (first && starts.length === 1 && waits === 0) {
    const gpus = first.devices.length > 0 ? `, with ${devicesText(first)}` : '';
    return `It would start now, on ${first.node}${gpus}.`;
  }
  if (waiting === undefined) return asTyped(message, config.programName);
  return starts.length > 0
    ? `${starts.length} of ${starts.length + waits} would start now; ${waits} would wait.`
    : `${waits === 1 ? 'It' : `All ${waits}`} would wait.`;
}

interface Place {
  readonly name: string;
  readonly node: string;
  readonly from?: string | undefined;
  readonly devices: readonly string[];
  readonly gpuMilli?: number | undefined;
}

/** One line for each node: what is asked for is all alike. */
function grouped(starts: readonly Place[]): readonly Place[] {
  return [...Map.groupBy(starts, ({ node }) => node)].map(([node, there]) => ({
    name: count(there.length, 'copy').replace('copys', 'copies'),
    node,
    devices: [...new Set(there.flatMap(({ devices }) => devices))],
    gpuMilli: there[0]?.gpuMilli,
  }));
}

function placesText({ columns }: Context, title: string, places: readonly Place[]): string {
  if (places.length === 0) return '';
  const isMove = places.some(({ from }) => from !== undefined);
  const heading = ['NAME', ...(isMove ? ['FROM'] : []), 'NODE', 'GPUS'];
  const rows = places.map(({ name, from = '', node, devices, gpuMilli }) => [
    name,
    ...(isMove ? [from] : []),
    node,
    devices.length > 0 ? devicesText({ devices, gpuMilli }).replace(/^GPUs /, '') : '–',
  ]);
  return `\n${title}\n${renderTable(heading, rows, { columns })}`;
}
