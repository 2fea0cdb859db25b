import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { apiError } from '@clawbernetes/protocol';
import { decodeRecords } from '@clawbernetes/telemetry';
import { encodeText } from '../commands/encode-text.ts';
import type { CommandContext } from '../commands/handler-context.ts';
import type { Gateway } from '../gateway.ts';
import type { LogPiece } from '../logs/follow-log.ts';

export const LOG_RECORDS_TYPE = 'application/vnd.clawbernetes.log-records';

const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const querySchema = z.object({
  position: z.coerce.number().int().min(0).default(0),
  tail: z.coerce.number().int().min(0).max(100_000).optional(),
  follow: flag.default(false),
});

/**
 * `GET /api/workloads/<workload>/logs`: raw log records (with the position of the first in `x-log-position`),
 * or as server-sent events whose ids are positions to resume from.
 */
export async function logStream(
  deps: { readonly gateway: () => Gateway },
  request: FastifyRequest<{ Params: { reference: string } }>,
  reply: FastifyReply,
  context: CommandContext,
): Promise<FastifyReply> {
  const query = querySchema.safeParse(request.query);
  if (!query.success)
    throw apiError('invalid-input', `The query is not valid: ${z.prettifyError(query.error)}`);
  const { position, tail, follow } = query.data;
  const resumed = Number(request.headers['last-event-id'] ?? NaN);
  const from = Number.isSafeInteger(resumed)
    ? { position: resumed, follow }
    : { position, follow, ...(tail === undefined ? {} : { tail }) };
  const pieces = deps.gateway().followLog(request.params.reference, from, context);
  reply.header('cache-control', 'no-store');
  if (request.headers.accept?.includes('text/event-stream')) {
    reply.type('text/event-stream');
    return reply.send(Readable.from(encodeEvents(pieces), { objectMode: false }));
  }
  return sendRecords(reply, pieces);
}

/** The header names the first position, so the first piece is awaited before the reply begins. */
async function sendRecords(
  reply: FastifyReply,
  pieces: AsyncGenerator<LogPiece, void, undefined>,
): Promise<FastifyReply> {
  const first = await pieces.next();
  reply.type(LOG_RECORDS_TYPE).header('x-log-position', first.done ? 0 : first.value.position);
  return reply.send(Readable.from(recordsOf(first, pieces), { objectMode: false }));
}

async function* recordsOf(
  first: IteratorResult<LogPiece, void>,
  rest: AsyncGenerator<LogPiece, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (first.done) return;
  yield first.value.records;
  let end = first.value.position + first.value.records.length;
  for await (const piece of rest) {
    // Rotation overtook this reader. Positions are implicit in the bytes, so the stream ends; the client asks
    // again.
    if (piece.position !== end) return;
    yield piece.records;
    end = piece.position + piece.records.length;
  }
}

async function* encodeEvents(pieces: AsyncIterable<LogPiece>): AsyncGenerator<string, void, undefined> {
  yield ': connected\n\n';
  for await (const { position, records, droppedBytes } of pieces) {
    let text = droppedBytes > 0 ? `event: dropped\ndata: ${JSON.stringify({ bytes: droppedBytes })}\n\n` : '';
    for (const { timeMs, stream, bytes, end } of decodeRecords(records)) {
      text += `id: ${position + end}\ndata: ${JSON.stringify({ timeMs, stream, ...encodeText(bytes) })}\n\n`;
    }
    yield text;
  }
}
