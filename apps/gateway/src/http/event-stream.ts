import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { apiError, type EventView } from '@clawbernetes/protocol';
import type { CommandContext } from '../commands/handler-context.ts';
import type { Gateway } from '../gateway.ts';
import { streamReply } from './stream-reply.ts';

const querySchema = z.object({ from: z.coerce.number().int().min(0).optional() });

/** `GET /api/events`: server-sent events from a sequence number on; `Last-Event-ID` resumes after it. */
export function eventStream(
  deps: { readonly gateway: () => Gateway },
  request: FastifyRequest,
  reply: FastifyReply,
  { signal }: CommandContext,
): FastifyReply {
  const query = querySchema.safeParse(request.query);
  if (!query.success) throw apiError('invalid-input', 'The query "from" must be an event’s sequence number.');
  const gateway = deps.gateway();
  const seen = Number(request.headers['last-event-id'] ?? NaN);
  const from = Number.isSafeInteger(seen) ? seen + 1 : (query.data.from ?? gateway.fleet.eventSequence + 1);
  const pages = gateway.feed.follow(from, { signal });
  return streamReply(reply, { 'content-type': 'text/event-stream' }, encode(pages));
}

async function* encode(pages: AsyncIterable<readonly EventView[]>): AsyncGenerator<string, void, undefined> {
  yield ': connected\n\n';
  for await (const page of pages) {
    yield page.map((event) => `id: ${event.sequence}\ndata: ${JSON.stringify(event)}\n\n`).join('');
  }
}
