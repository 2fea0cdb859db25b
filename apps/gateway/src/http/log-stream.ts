import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { apiError } from '@clawbernetes/protocol';
import { decodeRecords } from '@clawbernetes/telemetry';
import { encodeText } from '../commands/encode-text.ts';
import type { CommandContext } from '../commands/handler-context.ts';
import type { Gateway } from '../gateway.ts';
import type { LogPiece } from '../logs/follow-log.ts';
import { streamReply } from './stream-reply.ts';

export const LOG_RECORDS_TYPE = 'application/vnd.clawbernetes.log-records';

const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const querySchema = z.object({
  position: z.coerce.number().int().min(0).default(0),
  tail: z.coerce.number().int().min(0).max(100_000).optional(),
  follow: flag.default(false),
  rank: z.coerce.number().int().min(0).optional(),
});

/**
 * `GET /api/workloads/<workload>/logs`: raw log records, or server-sent events whose ids are positions to
 * resume from; `rank` says of which member of a gang. `x-log-position` is where the first record begins;
 * `x-log-skip-bytes` of its content come before the last lines that were asked for.
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
  const { position, tail, follow, rank } = query.data;
  const whose = rank === undefined ? {} : { rank };
  const resumed = Number(request.headers['last-event-id'] ?? NaN);
  const from = Number.isSafeInteger(resumed)
    ? { position: resumed, follow, ...whose }
    : { position, follow, ...whose, ...(tail === undefined ? {} : { tail }) };
  const { start, pieces } = deps.gateway().followLog(request.params.reference, from, context);
  if (request.headers.accept?.includes('text/event-stream')) {
    return streamReply(reply, { 'content-type': 'text/event-stream' }, encodeEvents(pieces, start.skipBytes));
  }
  const headers = { 'content-type': LOG_RECORDS_TYPE, 'x-log-position': String(start.position) };
  const skip = start.skipBytes > 0 ? { 'x-log-skip-bytes': String(start.skipBytes) } : {};
  return streamReply(reply, { ...headers, ...skip }, recordsFrom(start.position, pieces));
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
  skipBytes: number,
): AsyncGenerator<string, void, undefined> {
  yield ': connected\n\n';
  let skip = skipBytes;
  for await (const { position, records, droppedBytes } of pieces) {
    let text = droppedBytes > 0 ? `event: dropped\ndata: ${JSON.stringify({ bytes: droppedBytes })}\n\n` : '';
    for (const { timeMs, stream, bytes, end } of decodeRecords(records)) {
      text += `id: ${position + end}\ndata: ${JSON.stringify({ timeMs, stream, ...encodeText(bytes.subarray(skip)) })}\n\n`;
      skip = 0;
    }
    yield text;
  }
}
