import { formatDuration } from '@clawbernetes/kernel';
import type { CommandInput, ReservationView } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { asTyped, count } from '../output/phrases.ts';
import { renderFacts, renderTable } from '../output/table.ts';

/** What the options of create become; see reservation-declarations.ts. */
interface CreateOptions {
  readonly start: string;
  readonly end?: string;
  readonly duration?: number;
  readonly gpus?: number;
  readonly gpuType?: readonly string[];
  readonly node?: readonly string[];
  readonly label?: Readonly<Record<string, string>>;
  readonly queue?: readonly string[];
  readonly maintenance?: true;
  readonly evict?: true;
  readonly notice?: number;
}

export async function createReservation({ context, operands, options }: Call<CreateOptions>): Promise<void> {
  const [name = ''] = operands;
  const client = await context.client();
  const view = await client.command('reservation.create', requestOf(name, options));
  await context.print(view, () =>
    [`${view.name} is reserved ${whenText(context, view)}.`, reservationText(context, view)].join('\n\n'),
  );
}

export async function listReservations({ context }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('reservation.list', {});
  const { programName } = context.config;
  await context.print(answer, () =>
    answer.reservations.length === 0
      ? `Nothing is reserved. Make one: ${programName} reservation create --help`
      : renderTable(
          ['RESERVATION', 'STATE', 'START', 'END', 'FOR', 'GPUS', 'IN USE', 'NODES'],
          answer.reservations.map((view) => [
            view.name,
            view.state,
            timeText(view.startMs),
            timeText(view.endMs),
            forText(view),
            String(view.gpus),
            String(view.gpusInUse),
            nodeNames(view),
          ]),
          { columns: context.columns, dispensable: ['IN USE'], elastic: 'NODES' },
        ),
  );
}

export async function showReservation({ context, operands: [reservation = ''] }: Call): Promise<void> {
  const client = await context.client();
  const view = await client.command('reservation.show', { reservation });
  await context.print(view, () => reservationText(context, view));
}

export async function deleteReservation({ context, operands: [reservation = ''] }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('reservation.delete', { reservation });
  await context.print(answer, () => `${answer.reservation} deleted. What it held is free for all.`);
}

function requestOf(name: string, options: CreateOptions): CommandInput<'reservation.create'> {
  const { start, end, duration, gpus, gpuType, node, label, queue, maintenance, evict, notice } = options;
  return {
    name,
    start,
    ...(end === undefined ? {} : { end }),
    ...(duration === undefined ? {} : { durationMs: duration }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(gpuType ? { gpuModels: [...gpuType] } : {}),
    ...(node ? { nodes: [...node] } : {}),
    ...(label ? { nodeSelector: label } : {}),
    ...(queue ? { queues: [...queue] } : {}),
    ...(maintenance ? { purpose: 'maintenance' as const } : {}),
    ...(evict ? { running: 'evict' as const } : {}),
    ...(notice === undefined ? {} : { noticeMs: notice }),
  };
}

function reservationText(context: Context, view: ReservationView): string {
  const { config } = context;
  return renderFacts([
    ['Reservation', view.name],
    ['State', `${view.state}. ${asTyped(view.message, config.programName)}`],
    ['Time', whenText(context, view)],
    ['For', forText(view)],
    ['GPUs', gpusText(view)],
    ['Nodes', view.nodes.map(nodeText).join('\n')],
    ['In the way', view.outlasting.map((one) => outlastingText(one)).join('\n') || undefined],
    [
      'Policy',
      `work in the way is ${view.running === 'evict' ? `asked to end, ${noticeText(view)}` : 'left'}`,
    ],
  ]);
}

function noticeText({ noticeMs }: ReservationView): string {
  return `told at least ${formatDuration(noticeMs)} before`;
}

function forText({ purpose, queues }: ReservationView): string {
  return purpose === 'maintenance' ? purpose : `queue ${queues.join(', ')}`;
}

function gpusText({ gpus, gpusInUse, gpusOccupied, gpusAway }: ReservationView): string {
  const parts = [
    gpusInUse > 0 ? `${gpusInUse} in use by its queues` : '',
    gpusOccupied > 0 ? `${gpusOccupied} by others` : '',
    gpusAway > 0 ? `${gpusAway} not to be had now` : '',
  ].filter((part) => part !== '');
  return parts.length > 0 ? `${gpus}: ${parts.join(', ')}` : String(gpus);
}

function nodeText({ node, whole, gpus, devices }: ReservationView['nodes'][number]): string {
  return whole ? `${node} as a whole (${count(gpus, 'GPU')})` : `${node}: ${devices.join(', ')}`;
}

/** Nodes that are named in a row; the rest is counted. */
const NAMED = 3;

function nodeNames({ nodes }: ReservationView): string {
  const named = nodes.slice(0, NAMED).map(({ node }) => node);
  return nodes.length > NAMED ? `${named.join(', ')} and ${nodes.length - NAMED} more` : named.join(', ');
}

function outlastingText({ name, node, endsAtMs, stopsAtMs }: ReservationView['outlasting'][number]): string {
  const limit = endsAtMs === undefined ? 'has no time limit' : `ends by ${timeText(endsAtMs)}`;
  const fate = stopsAtMs === undefined ? 'is left' : `is asked to end at ${timeText(stopsAtMs)}`;
  return `${name} on ${node} ${limit}; it ${fate}`;
}

/** `from … to … (in 2h 0m, for 4h 0m)`. */
function whenText({ clock }: Context, { startMs, endMs, state }: ReservationView): string {
  const nowMs = clock.nowMs();
  const when =
    state === 'active'
      ? `for another ${formatDuration(Math.max(0, endMs - nowMs))}`
      : `in ${formatDuration(Math.max(0, startMs - nowMs))}, for ${formatDuration(endMs - startMs)}`;
  return `from ${timeText(startMs)} to ${timeText(endMs)} (${when})`;
}

function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')}Z`;
}
