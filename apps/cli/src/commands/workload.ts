import { formatBytes, formatDuration } from '@clawbernetes/kernel';
import type { CommandOutput, WorkloadState, WorkloadView } from '@clawbernetes/protocol';
import { hasEnded, WORKLOAD_STATES } from '@clawbernetes/protocol/workload-state';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { oneOf } from '../declare/option-values.ts';
import { paintState, type Colours } from '../output/colours.ts';
import { eventLine } from '../output/event-line.ts';
import { age, asTyped, cores, memory, oneLine, ranFor, shellWords } from '../output/phrases.ts';
import { renderFacts, renderTable, type Facts } from '../output/table.ts';
import { disconnectOf, gpusAsked, outcome, placeOf, retriesOf } from '../output/workload-phrases.ts';
import { gangFact, membersOf, membersText } from './gang-members.ts';

const PAGE = 1000;
const DEFAULT_LIMIT = 50;

export async function listWorkloads({ context, options }: Call): Promise<void> {
  const { state = [], limit = DEFAULT_LIMIT } = options as {
    readonly state?: string[];
    readonly limit?: number;
  };
  const states = state.map(oneOf<WorkloadState>(...WORKLOAD_STATES));
  const client = await context.client();
  const workloads: WorkloadView[] = [];
  let next: string | undefined;
  do {
    const page = await client.command('workload.list', {
      limit: Math.min(PAGE, Math.max(1, limit - workloads.length)),
      ...(states.length > 0 ? { states } : {}),
      ...(next === undefined ? {} : { cursor: next }),
    });
    workloads.push(...page.workloads);
    next = page.next;
  } while (next !== undefined && workloads.length < limit);
  await context.print({ workloads, ...(next === undefined ? {} : { next }) }, () => {
    if (workloads.length === 0)
      return `No workloads. Run one: ${context.config.programName} run -- echo hello`;
    const more = next === undefined ? '' : `\nThere are more; show them with --limit ${limit * 2}.`;
    return workloadTable(context, workloads) + more;
  });
}

function workloadTable(
  { terminal: { colours }, clock, columns }: Context,
  workloads: readonly WorkloadView[],
): string {
  const nowMs = clock.nowMs();
  return renderTable(
    ['NAME', 'ID', 'STATE', 'EXIT', 'NODE', 'GPUS', 'AGE', 'RAN', 'COMMAND'],
    workloads.map((workload) => [
      oneLine(workload.name, 30),
      workload.id,
      stateCell(colours, workload),
      String(workload.exitCode ?? workload.signal ?? workload.endReason ?? '–'),
      nodesCell(workload),
      gpusCell(workload) + (workload.simulated ? colours.yellow(' simulated') : ''),
      age(workload.submittedAtMs, nowMs),
      ranFor(workload.startedAtMs, workload.finishedAtMs, nowMs),
      oneLine(commandOf(workload), 40),
    ]),
    { columns, dispensable: ['ID', 'RAN', 'GPUS', 'NODE', 'EXIT'] },
  );
}

function stateCell(colours: Colours, { state, waiting, gang }: WorkloadView): string {
  const why = waiting === undefined ? '' : colours.dim(` (${waiting.reason})`);
  return (
    paintState(colours, state) + (gang && RUNS.has(state) ? ` ${gang.running}/${gang.members}` : '') + why
  );
}

/** States in which it is of interest how many members of a gang run. */
const RUNS: ReadonlySet<WorkloadState> = new Set(['starting', 'running', 'degraded']);

function nodesCell({ attempt, gang }: WorkloadView): string {
  if (!attempt) return '–';
  const others = (gang?.placed ?? 1) - 1;
  return others > 0 ? `${attempt.nodeName} and ${others} more` : attempt.nodeName;
}

function gpusCell({ spec }: WorkloadView): string {
  const members = spec.gang ? `${spec.gang.members} × ` : '';
  return `${members}${gpusAsked(spec.resources)}`;
}

function commandOf({ spec }: WorkloadView): string {
  const words = shellWords(spec.command);
  return spec.image === undefined ? words : `[${spec.image}] ${words}`;
}

export async function showWorkload({ context, operands: [workload = ''] }: Call): Promise<void> {
  const client = await context.client();
  const view = await client.command('workload.inspect', { workload });
  const { attempts, events: _events, ...brief } = view;
  const members = membersOf(view);
  // What a gang is doing is what its members do.
  await context.print(view.gang ? { ...brief, attempts } : brief, () =>
    [
      renderFacts(workloadFacts(context, view)),
      ...(members.length > 0 ? [`\nMEMBERS\n${membersText(context, members)}`] : []),
    ].join('\n'),
  );
}

export async function inspectWorkload({ context, operands: [workload = ''] }: Call): Promise<void> {
  const client = await context.client();
  const view = await client.command('workload.inspect', { workload });
  await context.print(view, () =>
    [
      renderFacts([...workloadFacts(context, view), ...specFacts(view)]),
      `\nATTEMPTS\n${attemptsText(context, view) || 'none yet'}`,
      `\nEVENTS\n${view.events.map((event) => eventLine(context.terminal.colours, event, { subject: false })).join('\n')}`,
    ].join('\n'),
  );
}

function workloadFacts({ terminal: { colours }, clock, config }: Context, view: WorkloadView): Facts {
  const nowMs = clock.nowMs();
  return [
    ['Name', view.name],
    ['Id', view.id],
    ['State', outcome(view).replace(view.state, paintState(colours, view.state))],
    [
      'Waits',
      view.waiting &&
        `${asTyped(view.waiting.message, config.programName)} ${colours.dim(`(${view.waiting.reason})`)}`,
    ],
    ['Message', view.message],
    ['Retries', retriesOf(view)],
    ['Command', oneLine(commandOf(view), 200)],
    ['Ran on', view.attempt && placeOf(colours, view)],
    ['Gang', gangFact(view)],
    ['Submitted', `${age(view.submittedAtMs, nowMs)} ago`],
    [
      'Ran for',
      view.startedAtMs === undefined ? undefined : ranFor(view.startedAtMs, view.finishedAtMs, nowMs),
    ],
  ];
}

function gpusFact(resources: WorkloadView['spec']['resources']): string | undefined {
  if (resources.gpus === 0 && resources.gpuMilli === undefined) return undefined;
  const nvlink = resources.nvlink === undefined ? [] : [`(NVLink ${resources.nvlink})`];
  return [gpusAsked(resources), ...resources.gpuModels, ...nvlink].join(' ');
}

function specFacts({ spec }: WorkloadView): Facts {
  const { resources } = spec;
  return [
    ['GPUs', gpusFact(resources)],
    ['CPU', resources.cpuMilli === undefined ? 'no limit' : `${cores(resources.cpuMilli)} cores`],
    ['Memory', resources.memoryMib === undefined ? 'no limit' : memory(resources.memoryMib)],
    ['Folder', spec.workingDirectory],
    [
      'Mounts',
      spec.mounts
        .map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? '' : ':rw'}`)
        .join('\n'),
    ],
    ['Sandbox', spec.sandbox],
    ['Network', spec.network],
    ['Timeout', spec.timeoutMs === undefined ? undefined : formatDuration(spec.timeoutMs)],
    ['Without contact', disconnectOf(spec)],
    ['Exclusive', spec.exclusive ? 'never runs twice at the same time' : undefined],
    [
      'Labels',
      Object.entries(spec.labels)
        .map((pair) => pair.join('='))
        .join(' '),
    ],
  ];
}

function attemptsText(
  { terminal: { colours }, clock }: Context,
  view: CommandOutput<'workload.inspect'>,
): string {
  if (view.attempts.length === 0) return '';
  const ranks = view.gang ? ['RANK'] : [];
  return renderTable(
    ['NUMBER', ...ranks, 'ID', 'STATE', 'NODE', 'EXIT', 'SANDBOX', 'RAN', 'MESSAGE'],
    view.attempts.map((attempt) => [
      String(attempt.number),
      ...ranks.map(() => String(attempt.rank ?? '–')),
      attempt.id,
      attemptState(colours, attempt),
      attempt.nodeName,
      String(attempt.exitCode ?? attempt.signal ?? attempt.endReason ?? '–'),
      attempt.sandbox ?? '–',
      ranFor(attempt.startedAtMs, attempt.finishedAtMs, clock.nowMs()),
      oneLine(attempt.message ?? '', 80),
    ]),
  );
}

function attemptState(
  colours: Colours,
  attempt: CommandOutput<'workload.inspect'>['attempts'][number],
): string {
  const unknown = attempt.unknownSinceMs === undefined ? '' : colours.yellow(' (unknown)');
  const fenced = attempt.fenced ? colours.dim(' (fenced)') : '';
  return paintState(colours, attempt.state) + unknown + fenced;
}

export async function stopWorkload({ context, operands: [workload = ''], options }: Call): Promise<void> {
  const { force = false } = options as { readonly force?: boolean };
  const client = await context.client();
  const view = await client.command('workload.stop', { workload, force });
  await context.print(view, () =>
    hasEnded(view.state) ? `${view.name}: ${outcome(view)}.` : `${view.name} is ${view.state}.`,
  );
}

export async function showStats({ context, operands: [workload = ''], options }: Call): Promise<void> {
  const { rank } = options as { readonly rank?: number };
  const client = await context.client();
  const stats = await client.command('workload.stats', {
    workload,
    ...(rank === undefined ? {} : { rank }),
  });
  await context.print(stats, () =>
    renderFacts([
      ['Workload', stats.workload],
      ['CPU time', formatDuration(stats.cpuMs)],
      ['Memory', formatBytes(stats.memoryBytes)],
      ['Peak', stats.memoryPeakBytes === undefined ? undefined : formatBytes(stats.memoryPeakBytes)],
      ['Processes', String(stats.processes)],
      ['Throttled', stats.throttledMs === undefined ? undefined : formatDuration(stats.throttledMs)],
    ]),
  );
}
