import { Option, type Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { duration, pairs, positiveNumber, repeated } from './option-values.ts';

const TIMES = '2026-03-29T08:00:00+02:00, 2026-03-29T06:00:00Z, +2h or now';

const creation = (): Option[] => [
  new Option('--start <time>', `when it begins: ${TIMES}`).makeOptionMandatory(),
  new Option('--end <time>', 'when it ends, written as --start'),
  new Option('--duration <duration>', 'how long it lasts, instead of --end').argParser(duration),
  new Option('--gpus <n>', 'so many whole GPUs, on as few nodes as possible').argParser(positiveNumber),
  new Option('--gpu-type <model>', 'of these models, such as H100 (may be repeated)').argParser(repeated),
  new Option('--node <node>', 'on this node; without --gpus all of it (may be repeated)').argParser(repeated),
  new Option('--label <key=value>', 'on nodes with this label (may be repeated)').argParser(pairs),
  new Option('--queue <queue>', 'whose work may use it, with queues below it (may be repeated)').argParser(
    repeated,
  ),
  new Option('--maintenance', 'for nobody: nothing runs there while it lasts'),
  new Option('--evict', 'ask work that would run past the start to end in time (default: it is left)'),
  new Option('--notice <duration>', 'such work is told at least so long before (default: 1m)').argParser(
    duration,
  ),
];

export function declareReservationCommands(reservation: Command, runtime: Runtime): void {
  declare(reservation, runtime, {
    usage: 'create <name>',
    summary: 'keep GPUs or nodes for a while; until the start only what ends before is placed there',
    options: creation(),
    examples: [
      'reservation create launch --start 2026-03-29T08:00:00+02:00 --duration 4h --gpus 16 --gpu-type H100 --queue research',
      'reservation create psu-swap --maintenance --node gpu-07 --start +2h --duration 90m --evict',
      'reservation create row-b --maintenance --label rack=b --start +1d --end +1d8h',
    ],
    load: async () => (await import('../commands/reservation.ts')).createReservation,
  });
  declare(reservation, runtime, {
    usage: 'list',
    summary: 'reservations that have not ended, the earliest start first',
    examples: ['reservation list', 'reservation list -f json'],
    load: async () => (await import('../commands/reservation.ts')).listReservations,
  });
  declare(reservation, runtime, {
    usage: 'show <reservation>',
    summary: 'one reservation: what it holds where, who uses it, and what runs past its start',
    examples: ['reservation show psu-swap'],
    load: async () => (await import('../commands/reservation.ts')).showReservation,
  });
  declare(reservation, runtime, {
    usage: 'delete <reservation>',
    summary: 'give a reservation up; what it held is free for all, and nothing is stopped',
    examples: ['reservation delete psu-swap'],
    load: async () => (await import('../commands/reservation.ts')).deleteReservation,
  });
}
