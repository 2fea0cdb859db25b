import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * Sends a stream whose headers leave at once, however long its first byte takes: clients and proxies give up
 * on a request without an answer. A stream that fails, or whose client is gone, is cut.
 */
export function streamReply(
  reply: FastifyReply,
  headers: Readonly<Record<string, string>>,
  chunks: AsyncIterable<Uint8Array | string>,
): FastifyReply {
  reply.hijack();
  reply.raw.writeHead(200, { 'cache-control': 'no-store', ...headers });
  reply.raw.flushHeaders();
  pipeline(Readable.from(chunks, { objectMode: false }), reply.raw).catch(() => reply.raw.destroy());
  return reply;
}
