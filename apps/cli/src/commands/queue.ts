import { formatBytes, formatDuration } from '@clawbernetes/kernel';
import type { CommandInput, QueueView, Quota } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { asTyped } from '../output/phrases.ts';
import { renderFacts, renderTable } from '../output/table.ts';

type Settings = Omit<CommandInput<'queue.create'>, 'queue'>;

/** What the options of create and update become; see queue-declarations.ts. */
interface QueueOptions {
  readonly guaranteed?: Quota;
  readonly limit?: Quota;
  readonly weight?: number;
  readonly priorityClass?: number;
  readonly defaultPriority?: number;
  readonly preemptible?: 'yes' | 'no';
  readonly maxWaiting?: number;
  readonly minRuntime?: number;
  readonly unset?: CommandInput<'queue.update'>['unset'];
}

export async function listQueues({ context }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('queue.list', {});
  await context.print(answer, () =>
    renderTable(
      ['QUEUE', 'USED', 'FAIR SHARE', 'GUARANTEED', 'LIMIT', 'WEIGHT', 'RUNNING', 'WAITING'],
      answer.queues.map((queue) => [
        queue.queue,
        gpusText(queue.used),
        gpusText(queue.fairShare),
        quotaText(queue.guaranteed),
        quotaText(queue.limit),
        String(queue.weight),
        String(queue.running),
        String(queue.waiting),
      ]),
      { columns: context.columns, dispensable: ['WEIGHT', 'FAIR SHARE'], elastic: 'LIMIT' },
    ),
  );
}

export async function showQueue({ context, operands: [queue = ''] }: Call): Promise<void> {
  const client = await context.client();
  const view = await client.command('queue.show', { queue });
  await context.print(view, () => queueText(context, view));
}

export async function createQueue({ context, operands, options }: Call<QueueOptions>): Promise<void> {
  const [queue = ''] = operands;
  const client = await context.client();
  const view = await client.command('queue.create', { queue, ...settingsOf(options) });
  await context.print(view, () => `${view.queue} created. Use it: ${use(context, view.queue)}`);
}

export async function updateQueue({ context, operands, options }: Call<QueueOptions>): Promise<void> {
  const [queue = ''] = operands;
  const client = await context.client();
  const unset = options.unset ? { unset: options.unset } : {};
  const view = await client.command('queue.update', { queue, ...settingsOf(options), ...unset });
  await context.print(
    view,
    () => `${view.queue} updated. ${asTyped(view.message, context.config.programName)}`,
  );
}

export async function deleteQueue({ context, operands: [queue = ''] }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('queue.delete', { queue });
  await context.print(answer, () => `${answer.queue} deleted.`);
}

function settingsOf(options: QueueOptions): Settings {
  const { guaranteed, limit, weight, priorityClass, defaultPriority, preemptible, maxWaiting, minRuntime } =
    options;
  return {
    ...(guaranteed ? { guaranteed } : {}),
    ...(limit ? { limit } : {}),
    ...(weight === undefined ? {} : { weight }),
    ...(priorityClass === undefined ? {} : { priorityClass }),
    ...(defaultPriority === undefined ? {} : { defaultPriority }),
    ...(preemptible === undefined ? {} : { preemptible: preemptible === 'yes' }),
    ...(maxWaiting === undefined ? {} : { maxWaiting }),
    ...(minRuntime === undefined ? {} : { minRuntimeMs: minRuntime }),
  };
}

function use({ config }: Context, queue: string): string {
  return `${config.programName} run --queue ${queue} -- <program>`;
}

function queueText({ config }: Context, view: QueueView): string {
  const { children, lenders, minRuntimeMs, maxWaiting } = view;
  const [first] = children;
  return renderFacts([
    ['Queue', view.queue],
    ['State', asTyped(view.message, config.programName)],
    ['Used', quotaText(view.used)],
    ['Fair share', quotaText(view.fairShare)],
    ['Guaranteed', quotaText(view.guaranteed)],
    ['Limit', quotaText(view.limit)],
    ['Borrowed', quotaText(view.borrowed, '')],
    ['From', lenders.map(({ queue, lends }) => `${queue} (${quotaText(lends)} not used)`).join('\n')],
    ['Lately', `${view.recentGpus} GPUs on average`],
    ['Weight', `${view.weight}${view.priorityClass === 0 ? '' : `, class ${view.priorityClass}`}`],
    ['Priority', String(view.defaultPriority)],
    ['Preemptible', view.preemptible ? 'yes' : 'no: it never borrows'],
    ['Runs at least', minRuntimeMs === undefined ? undefined : formatDuration(minRuntimeMs)],
    ['Running', String(view.running)],
    ['Waiting', `${view.waiting}${maxWaiting === undefined ? '' : ` of at most ${maxWaiting}`}`],
    ['Below', first === undefined ? undefined : children.join(', ')],
  ]);
}

/** `8 GPUs, 4 h100, 64 CPUs, 512.0 GiB`. */
function quotaText(quota: Quota | undefined, none = '–'): string {
  const { gpus, gpuModels = {}, cpuMilli, memoryMib } = quota ?? {};
  const parts = [
    gpus === undefined ? '' : `${gpus} ${gpus === 1 ? 'GPU' : 'GPUs'}`,
    ...Object.entries(gpuModels).map(([model, amount]) => `${amount} ${model}`),
    cpuMilli === undefined ? '' : `${cpuMilli / 1000} CPUs`,
    memoryMib === undefined ? '' : formatBytes(memoryMib * 2 ** 20),
  ];
  return parts.filter((part) => part !== '').join(', ') || none;
}

function gpusText({ gpus, gpuModels }: Quota): string {
  return quotaText({ ...(gpus === undefined ? {} : { gpus }), ...(gpuModels ? { gpuModels } : {}) });
}
