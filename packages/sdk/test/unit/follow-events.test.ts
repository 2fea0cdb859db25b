// Shows that followed events come in order without gaps or repeats, whatever happens to the connection.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openClient, type Client } from '../../src/index.ts';
import { ServerSentEventReader } from '../../src/server-sent-events.ts';
import { cannedEvent } from '../canned-views.ts';
import { GatewayStandIn } from '../gateway-stand-in.ts';

async function take(client: Client, from: number | 'now', count: number): Promise<number[]> {
  const sequences: number[] = [];
  for await (const event of client.events({ from })) {
    sequences.push(event.sequence);
    if (sequences.length === count) break;
  }
  return sequences;
}

describe('events', () => {
  it('resume by sequence after lost connections, and repeats are dropped', async () => {
    await using gateway = await GatewayStandIn.open({
      events: (url, response) => {
        const from = Number(url.searchParams.get('from'));
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (let sequence = Math.max(1, from - 1); sequence < from + 4; sequence += 1) {
          response.write(`id: ${sequence}\ndata: ${JSON.stringify(cannedEvent(sequence))}\n\n`);
        }
        response.write('data: {"sequence":', () => response.destroy());
      },
    });
    const sequences = await take(openClient({}, { url: gateway.url }), 3, 11);
    expect(sequences).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });

  it('begin with the next new one on request, and then resume by sequence', async () => {
    const asked: string[] = [];
    await using gateway = await GatewayStandIn.open({
      events: (url, response) => {
        asked.push(url.search);
        const sequence = asked.length === 1 ? 70 : 71;
        response.write(`data: ${JSON.stringify(cannedEvent(sequence))}\n\n`, () => response.destroy());
      },
    });
    expect(await take(openClient({}, { url: gateway.url }), 'now', 2)).toEqual([70, 71]);
    expect(asked).toEqual(['', '?from=71']);
  });

  it('end with the error when the gateway refuses', async () => {
    await using gateway = await GatewayStandIn.open({
      events: (_, response) =>
        response.writeHead(401).end(JSON.stringify({ code: 'unauthenticated', message: 'Who are you?' })),
    });
    await expect(take(openClient({}, { url: gateway.url }), 0, 1)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });
});

describe('ServerSentEventReader', () => {
  it('reads ids, several data lines and skips comments, cut anywhere', () => {
    const stream = Buffer.from(': hello\n\nid: 7\ndata: ä\ndata: b\n\nevent: x\r\ndata:c\r\n\r\n:\n\n');
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length)), (unsorted) => {
        const reader = new ServerSentEventReader();
        const edges = [0, ...unsorted.toSorted((left, right) => left - right), stream.length];
        const events = edges
          .slice(1)
          .flatMap((end, index) => [...reader.push(stream.subarray(edges[index], end))]);
        expect(events).toEqual([{ id: '7', data: 'ä\nb' }, { data: 'c' }]);
      }),
    );
  });

  it('refuses an event that never ends', () => {
    const reader = new ServerSentEventReader();
    const chunk = Buffer.alloc(5_000_000, 'x');
    expect(() => [...reader.push(chunk)]).toThrow(/longer than/);
  });
});
