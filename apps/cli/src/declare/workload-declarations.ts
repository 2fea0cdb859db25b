import { Option, type Command } from 'commander';
import { declare, declareGroup, type Runtime } from './declaration.ts';
import { disconnection, duration, oneOf, pairs, repeated, wholeNumber } from './option-values.ts';
import { placementOptions } from './placement-options.ts';
import { declareWhy } from './why-declarations.ts';

const runOptions = (): Option[] => [
  new Option('-d, --detach', 'print the id and return at once'),
  new Option('-q, --quiet', 'only what the workload prints'),
  new Option('--name <name>', 'name of the workload'),
  ...placementOptions(),
  new Option('-e, --env <name=value>', 'environment variable; NAME alone takes yours').argParser(repeated),
  new Option('--env-file <file>', 'environment variables, one NAME=value per line'),
  new Option('-w, --workdir <folder>', 'working directory on the node').conflicts('noWorkdir'),
  new Option('--mount <source:target[:rw]>', 'folder of the node to show inside').argParser(repeated),
  new Option('--stop-grace <duration>', 'between polite stop and kill (default: 10s)').argParser(duration),
  new Option('--network <mode>', 'host (default) or none').argParser(oneOf('host', 'none')),
  new Option('-l, --label <key=value>', 'label of the workload; may be repeated').argParser(pairs),
  new Option(
    '--restart <count>',
    'after a failure begin anew on the same node, a gang as a whole on its nodes, so often',
  ).argParser(wholeNumber),
  new Option('--restart-on <end>', 'failure (default), or always: after a good end, too').argParser(
    oneOf('failure', 'always'),
  ),
  new Option('--reschedule <count>', 'after a failure begin anew on another node, so often').argParser(
    wholeNumber,
  ),
  new Option(
    '--replace <count>',
    'begin anew elsewhere when its node was lost, so often; of a gang, only the member if that is enough',
  ).argParser(wholeNumber),
  new Option('--retry-delay <duration>', 'before it begins anew; doubles each time (default: 1s)').argParser(
    duration,
  ),
  new Option('--retry-max-delay <duration>', 'the longest such delay (default: 5m)').argParser(duration),
  new Option(
    '--on-disconnect <action>',
    'while its node has no contact: continue (default), or stop=5m: end after so long',
  ).argParser(disconnection),
  new Option('--exclusive', 'never begin anew before its former end, of a gang that of all, is proven'),
];

export function declareWorkloadCommands(program: Command, runtime: Runtime): void {
  declare(program, runtime, {
    usage: 'run [image]',
    summary: 'run a program on the fleet, as a process or in a container image',
    options: runOptions(),
    takesProgram: true,
    examples: [
      'run -- python3 train.py',
      'run --gpus 1 --gpu-type H100 -- python3 train.py',
      'run --gpu-share 0.25 -- python3 serve.py',
      'run --gpus 4 --nvlink required -- python3 train.py',
      'run busybox -- echo hi',
      'run --members 8 --gpus 8 --topology rack -- ./train.sh',
      'run --name nightly --memory 2g --cpus 1.5 --timeout 2h -d -- make all',
      'run --restart 5 --reschedule 2 --replace 3 -d -- python3 train.py',
      'run --exclusive --on-disconnect stop=5m --replace 3 -d -- ./writer',
      'run --members 8 --gpus 8 --restart 3 --replace 5 -d -- torchrun train.py',
    ],
    load: async () => (await import('../run/run-command.ts')).runCommand,
  });
  declareWorkloadGroup(declareGroup(program, 'workload', 'what runs, ran or waits on the fleet'), runtime);
  declare(program, runtime, {
    usage: 'exec <workload>',
    summary: 'run a command inside a running workload',
    options: [
      new Option('-e, --env <name=value>', 'environment variable; may be repeated').argParser(pairs),
      new Option('--timeout <duration>', 'give up after this long (default: 60s)').argParser(duration),
      new Option('--rank <rank>', 'in this member of a gang (default: 0)').argParser(wholeNumber),
    ],
    takesProgram: true,
    examples: ['exec nightly -- ps aux', 'exec nightly -- sh -c "du -sh ."'],
    load: async () => (await import('../commands/exec.ts')).execInWorkload,
  });
}

function declareWorkloadGroup(workload: Command, runtime: Runtime): void {
  declare(workload, runtime, {
    usage: 'list',
    summary: 'workloads, newest first',
    options: [
      new Option('-s, --state <state>', 'only in this state; may be repeated').argParser(repeated),
      new Option('-n, --limit <count>', 'at most so many (default: 50)').argParser(wholeNumber),
    ],
    examples: ['workload list', 'workload list --state running --state queued', 'workload list -f json'],
    load: async () => (await import('../commands/workload.ts')).listWorkloads,
  });
  declare(workload, runtime, {
    usage: 'status <workload>',
    summary: 'state of a workload, and why it waits',
    examples: ['workload status nightly'],
    load: async () => (await import('../commands/workload.ts')).showWorkload,
  });
  declareWhy(workload, runtime);
  declare(workload, runtime, {
    usage: 'inspect <workload>',
    alias: 'show',
    summary: 'a workload in full, with its attempts and events',
    examples: ['workload inspect nightly', 'workload inspect nightly -f json'],
    load: async () => (await import('../commands/workload.ts')).inspectWorkload,
  });
  declare(workload, runtime, {
    usage: 'logs <workload>',
    summary: 'what a workload printed; stays readable after its end',
    options: [
      new Option('-f, --follow', 'go on until the workload has ended'),
      new Option('-n, --tail <lines>', 'only the last lines').argParser(wholeNumber),
      new Option('--attempt <number>', 'of this attempt; default: the latest').argParser(wholeNumber),
      new Option('-t, --timestamps', 'begin each line with its time'),
      new Option('--stream <stream>', 'stdout or stderr only').argParser(oneOf('stdout', 'stderr')),
      new Option('--rank <rank>', 'only this member of a gang').argParser(wholeNumber),
    ],
    followsWithF: true,
    examples: [
      'workload logs nightly --tail 20',
      'workload logs -f nightly',
      'workload logs nightly --stream stderr',
      'workload logs training --rank 3',
    ],
    load: async () => (await import('../commands/logs.ts')).showLogs,
  });
  declare(workload, runtime, {
    usage: 'stop <workload>',
    summary: 'stop a workload: politely, or at once with --force',
    options: [new Option('--force', 'kill it at once')],
    examples: ['workload stop nightly', 'workload stop nightly --force'],
    load: async () => (await import('../commands/workload.ts')).stopWorkload,
  });
  declare(workload, runtime, {
    usage: 'stats <workload>',
    summary: 'CPU, memory and processes of a running workload',
    options: [new Option('--rank <rank>', 'of this member of a gang (default: 0)').argParser(wholeNumber)],
    examples: ['workload stats nightly'],
    load: async () => (await import('../commands/workload.ts')).showStats,
  });
}
