import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { apiError } from '@clawbernetes/protocol';
import { decodeRecords } from '@clawbernetes/telemetry';
import { encodeText } from '../commands/encode-text.ts';
import type { CommandContext } from '../commands/handler-context.ts';
import type { Gateway } from '../gateway.ts';
import type { LogPiece, LogStart } from '../logs/follow-log.ts';
import { streamReply } from './stream-reply.ts';

export const LOG_RECORDS_TYPE = 'application/vnd.clawbernetes.log-records';

const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const querySchema = z.object({
  position: z.coerce.number().int().min(0).default(0),
  tail: z.coerce.number().int().min(0).max(100_000).optional(),
  attempt: z.coerce.number().int().min(1).optional(),
  follow: flag.default(false),
  rank: z.coerce.number().int().min(0).optional(),
});

/**
 * `GET /api/workloads/<workload>/logs`: raw log records, or server-sent events with ids to resume from;
 * `rank` says of which member of a gang. Else a stream is of one attempt: `x-log-attempt` is its number. It
 * ends when a later one has begun; who asks again with the number of the former gets the next.
 * `x-log-position` is where the first record begins; `x-log-skip-bytes` of its content come before the last
 * lines that were asked for.
 */
export function logStream(
  deps: { readonly gateway: () => Gateway },
  request: FastifyRequest<{ Params: { reference: string } }>,
  reply: FastifyReply,
  context: CommandContext,
): FastifyReply {
  const query = querySchema.safeParse(request.query);
  if (!query.success)
    throw apiError('invalid-input', `The query is not valid: ${z.prettifyError(query.error)}`);
  const { position, tail, follow, rank, attempt } = query.data;
  const from = resumedFrom(request.headers['last-event-id']) ?? {
    position,
    ...(tail === undefined ? {} : { tail }),
    ...(attempt === undefined ? {} : { attempt }),
  };
  const asked = { ...from, follow, ...(rank === undefined ? {} : { rank }) };
  const { start, pieces } = deps.gateway().followLog(request.params.reference, asked, context);
  if (request.headers.accept?.includes('text/event-stream')) {
    return streamReply(reply, { 'content-type': 'text/event-stream' }, encodeEvents(pieces, start));
  }
  const headers = { 'content-type': LOG_RECORDS_TYPE, 'x-log-position': String(start.position) };
  const skip = start.skipBytes > 0 ? { 'x-log-skip-bytes': String(start.skipBytes) } : {};
  const whose = start.attempt === undefined ? {} : { 'x-log-attempt': String(start.attempt) };
  return streamReply(reply, { ...headers, ...whose, ...skip }, recordsFrom(start.position, pieces));
}

/** From the id of the last event that was taken: `2-512`, or the position alone. */
function resumedFrom(
  id: string | string[] | undefined,
): { readonly position: number; readonly attempt?: number } | undefined {
  const [, attempt, position] = /^(?:(\d{1,9})-)?(\d{1,15})$/.exec(String(id)) ?? [];
  if (position === undefined) return undefined;
  return { position: Number(position), ...(attempt === undefined ? {} : { attempt: Number(attempt) }) };
}

/**
 * Positions are implicit in the bytes, so the stream ends where they would not fit: rotation overtook this
 * reader, and the client asks again.
 */
async function* recordsFrom(
  start: number,
  pieces: AsyncIterable<LogPiece>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let end = start;
  for await (const { position, records } of pieces) {
    if (position !== end) return;
    yield records;
    end += records.length;
  }
}

async function* encodeEvents(
  pieces: AsyncIterable<LogPiece>,
  { attempt, skipBytes }: LogStart,
): AsyncGenerator<string, void, undefined> {
  const whose = attempt === undefined ? '' : `${attempt}-`;
  yield ': connected\n\n';
  let skip = skipBytes;
  for await (const { position, records, droppedBytes } of pieces) {
    let text = droppedBytes > 0 ? `event: dropped\ndata: ${JSON.stringify({ bytes: droppedBytes })}\n\n` : '';
    for (const { timeMs, stream, bytes, end } of decodeRecords(records)) {
      const entry = JSON.stringify({ timeMs, stream, ...encodeText(bytes.subarray(skip)) });
      text += `id: ${whose}${position + end}\ndata: ${entry}\n\n`;
      skip = 0;
    }
    yield text;
  }
}
