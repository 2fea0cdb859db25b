import { Option, type Command } from 'commander';
import { declare, declareGroup, type Runtime } from './declaration.ts';
import { declareGpuCommands, declareNodeCommands } from './node-declarations.ts';
import { wholeNumber } from './option-values.ts';
import { declareQueueCommands } from './queue-declarations.ts';
import { declareReservationCommands } from './reservation-declarations.ts';
import { declareWhatIf } from './why-declarations.ts';

export function declareFleetCommands(program: Command, runtime: Runtime): void {
  declare(program, runtime, {
    usage: 'status',
    summary: 'the fleet at a glance',
    examples: ['status', 'status -f json'],
    load: async () => (await import('../commands/status.ts')).showStatus,
  });
  declareNodeCommands(declareGroup(program, 'node', 'the machines of the fleet'), runtime);
  declareGpuCommands(declareGroup(program, 'gpu', 'the GPUs of the fleet'), runtime);
  declareQueueCommands(declareGroup(program, 'queue', 'who may use how much of the fleet'), runtime);
  declareReservationCommands(
    declareGroup(program, 'reservation', 'capacity kept for a while, for work or maintenance'),
    runtime,
  );
  declareWhatIf(program, runtime);
  declare(program, runtime, {
    usage: 'events',
    summary: 'what happened in the fleet',
    options: [
      new Option('-f, --follow', 'go on with new events'),
      new Option('--from <sequence>', 'first event wanted').argParser(wholeNumber),
      new Option('--tail <count>', 'only the last ones (default: 50, at most 1000)').argParser(wholeNumber),
      new Option('--subject <id>', 'only of this workload, node or configuration entry'),
    ],
    followsWithF: true,
    examples: ['events --tail 20', 'events -f', 'events -f --format json'],
    load: async () => (await import('../commands/events.ts')).showEvents,
  });
}
