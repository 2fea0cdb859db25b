import { sleep, type Clock, type Random } from '@clawbernetes/kernel';
import type { EventView } from '@clawbernetes/protocol';
import { isTransient } from './errors.ts';
import { Patience } from './patience.ts';
import { ServerSentEventReader } from './server-sent-events.ts';
import type { Transport } from './transport.ts';

export interface FollowEventsOptions {
  /**
   * Sequence number of the first event wanted; default 0, the beginning of the event log. `now` means new
   * events only:
   * until the first of them came, a lost connection begins anew at its own now.
   */
  readonly from?: number | 'now' | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface EventSource {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly patienceMs: () => number;
}

/** Before asking again where a stream ended politely. */
const ENDED_EARLY_MS = 200;

/** The fleet's events in order without gaps, over lost connections too; endless until aborted. */
export async function* followEvents(
  source: EventSource,
  { from = 0, signal }: FollowEventsOptions,
): AsyncGenerator<EventView, void, undefined> {
  const patience = new Patience(source, { patienceMs: source.patienceMs, signal });
  let next: number | 'now' = from;
  for (;;) {
    try {
      for await (const event of readOnce(source.transport, next, patience, signal)) {
        if (next !== 'now' && event.sequence < next) continue;
        next = event.sequence + 1;
        yield event;
      }
      await sleep(source.clock, ENDED_EARLY_MS, signal ? { signal } : {});
    } catch (error) {
      if (!isTransient(error)) throw error;
      await patience.afterFailure(error);
    }
  }
}

async function* readOnce(
  transport: Transport,
  from: number | 'now',
  patience: Patience,
  signal: AbortSignal | undefined,
): AsyncGenerator<EventView, void, undefined> {
  const query = from === 'now' ? '' : `?from=${from}`;
  const response = await transport.open(`/api/events${query}`, { accept: 'text/event-stream' }, { signal });
  patience.succeeded();
  const reader = new ServerSentEventReader();
  for await (const chunk of transport.chunks(response, signal)) {
    for (const { data } of reader.push(chunk)) yield JSON.parse(data) as EventView;
  }
}
