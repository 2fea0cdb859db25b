import { Option, type Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { duration, oneOf, quota, signedNumber, wholeNumber } from './option-values.ts';

const SETTINGS = [
  'guaranteed',
  'limit',
  'weight',
  'priorityClass',
  'defaultPriority',
  'preemptible',
] as const;
const MORE_SETTINGS = ['maxWaiting', 'minRuntimeMs'] as const;

const settings = (): Option[] => [
  new Option(
    '--guaranteed <amounts>',
    'its own whenever it wants it, such as gpus=8 or h100=8,cpus=64,memory=512g',
  ).argParser(quota),
  new Option('--limit <amounts>', 'never more than this, written as --guaranteed').argParser(quota),
  new Option('--weight <n>', 'its part of what nobody is guaranteed (default: 1)').argParser(wholeNumber),
  new Option('--priority-class <n>', 'siblings of a higher class come first there').argParser(signedNumber),
  new Option('--default-priority <n>', 'of work that names none, from now on').argParser(signedNumber),
  new Option('--preemptible <yes|no>', 'whether its work may have to make room (default: yes)').argParser(
    oneOf('yes', 'no'),
  ),
  new Option('--max-waiting <n>', 'workloads that may wait at once').argParser(wholeNumber),
  new Option('--min-runtime <duration>', 'its work runs so long before it may have to go').argParser(
    duration,
  ),
];

export function declareQueueCommands(queue: Command, runtime: Runtime): void {
  declare(queue, runtime, {
    usage: 'list',
    summary: 'queues with what they use, may use, and are entitled to',
    examples: ['queue list', 'queue list -f json'],
    load: async () => (await import('../commands/queue.ts')).listQueues,
  });
  declare(queue, runtime, {
    usage: 'show <queue>',
    summary: 'one queue: usage, fair share, what waits, and from whom it borrows',
    examples: ['queue show research/training'],
    load: async () => (await import('../commands/queue.ts')).showQueue,
  });
  declare(queue, runtime, {
    usage: 'create <queue>',
    summary: 'make a queue; a path such as research/training needs research first',
    options: settings(),
    examples: [
      'queue create research --guaranteed gpus=32',
      'queue create research/training --limit h100=64',
    ],
    load: async () => (await import('../commands/queue.ts')).createQueue,
  });
  declare(queue, runtime, {
    usage: 'update <queue>',
    summary: 'change what is given; a lower limit stops nothing, it only lets nothing more start',
    options: [
      ...settings(),
      new Option(
        '--unset <setting>',
        `back to its default: ${[...SETTINGS, ...MORE_SETTINGS].join(', ')}`,
      ).argParser((text: string, before: readonly string[] | undefined) => [
        ...(before ?? []),
        oneOf(...SETTINGS, ...MORE_SETTINGS)(text),
      ]),
    ],
    examples: ['queue update research --limit gpus=16', 'queue update research --unset limit'],
    load: async () => (await import('../commands/queue.ts')).updateQueue,
  });
  declare(queue, runtime, {
    usage: 'delete <queue>',
    summary: 'delete a queue without work and without queues below it',
    examples: ['queue delete research/training'],
    load: async () => (await import('../commands/queue.ts')).deleteQueue,
  });
}
