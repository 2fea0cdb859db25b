import { Option, type Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { positiveNumber, repeated } from './option-values.ts';
import { placementOptions } from './placement-options.ts';

export function declareWhy(workload: Command, runtime: Runtime): void {
  declare(workload, runtime, {
    usage: 'why <workload>',
    summary: 'why it waits and what would help, why it is where it is, or how it ended',
    examples: ['workload why nightly', 'workload why nightly -f json'],
    load: async () => (await import('../commands/why.ts')).explainWorkload,
  });
}

export function declareWhatIf(program: Command, runtime: Runtime): void {
  declare(program, runtime, {
    usage: 'what-if [change] [names...]',
    summary: 'what the fleet would do, tried on a copy: more work, "drain <node>", "without <workload>"',
    options: [
      ...placementOptions(),
      new Option('--image <image>', 'in a container of this image'),
      new Option('-n, --count <count>', 'so many of it (default: 1)').argParser(positiveNumber),
      new Option('--drain <node>', 'as if this node took no more work; may be repeated').argParser(repeated),
      new Option('--without <workload>', 'as if this one had ended; may be repeated').argParser(repeated),
    ],
    examples: [
      'what-if --gpus 4 --gpu-type H100',
      'what-if --gpus 1 --count 16 --timeout 2h',
      'what-if --gpu-share 250m --count 8',
      'what-if drain gpu-07',
      'what-if without nightly',
      'what-if --gpus 4 --without nightly',
    ],
    load: async () => (await import('../commands/what-if.ts')).imagine,
  });
}
