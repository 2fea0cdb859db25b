// Shows that a followed log comes exactly once and in order, wherever the connection is cut.
import type { ServerResponse } from 'node:http';
import { encodeRecord, type LogStream } from '@clawbernetes/telemetry/log-records';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openClient, type LogEntry } from '../../src/index.ts';
import { RecordReader } from '../../src/record-reader.ts';
import { GatewayStandIn } from '../gateway-stand-in.ts';

const STREAMS: readonly LogStream[] = ['stdout', 'stderr', 'notice'];

/** Bytes of a log with `count` records of binary content. */
function someLog(count: number): Buffer {
  const records = Array.from({ length: count }, (_, index) =>
    encodeRecord({
      stream: STREAMS[index % 3] ?? 'stdout',
      timeMs: index,
      bytes: Uint8Array.from({ length: index * 7 }, (__, at) => (at * 31 + index) % 256),
    }),
  );
  return Buffer.concat(records);
}

/**
 * Serves `log`, but breaks the connection after as many bytes as `cuts` says, one per request; then to the
 * end.
 */
function serveWithCuts(log: Buffer, cuts: number[]) {
  return (url: URL, response: ServerResponse): void => {
    const position = Number(url.searchParams.get('position') ?? 0);
    response.writeHead(200, { 'x-log-position': String(position) });
    const cut = cuts.shift();
    if (cut === undefined) return void response.end(log.subarray(position));
    response.write(log.subarray(position, position + cut), () => response.destroy());
  };
}

function completeAt(log: Buffer) {
  return ({ position }: Readonly<Record<string, unknown>>): unknown => ({
    entries: [],
    position,
    droppedBytes: 0,
    complete: position === log.length,
  });
}

async function collect(entries: AsyncIterable<LogEntry>): Promise<LogEntry[]> {
  const all: LogEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

function encodeAll(entries: readonly LogEntry[]): Buffer {
  return Buffer.concat(entries.map((entry) => encodeRecord(entry)));
}

describe('followLogs', () => {
  it('goes on exactly where a broken connection stopped', async () => {
    const log = someLog(40);
    await using gateway = await GatewayStandIn.open({
      logs: serveWithCuts(log, [0, 1, 12, 13, 500, 777, 1300]),
      commands: { 'workload.logs': completeAt(log) },
    });
    const entries = await collect(openClient({}, { url: gateway.url }).followLogs('wl-1'));
    expect(encodeAll(entries).equals(log)).toBe(true);
    expect(entries.at(-1)?.position).toBe(log.length);
    expect(gateway.requests.filter(({ path }) => path.includes('/logs?')).length).toBeGreaterThan(5);
  });

  it('does not take a polite end of the stream for the end of the log', async () => {
    const log = someLog(6);
    let calls = 0;
    await using gateway = await GatewayStandIn.open({
      logs: (url, response) => {
        const position = Number(url.searchParams.get('position'));
        response.writeHead(200, { 'x-log-position': String(position) });
        response.end((calls += 1) === 1 ? log.subarray(0, 13) : log.subarray(position));
      },
      commands: { 'workload.logs': completeAt(log) },
    });
    const entries = await collect(openClient({}, { url: gateway.url }).followLogs('wl-1'));
    expect(encodeAll(entries).equals(log)).toBe(true);
  });

  it('resumes a tail by position, not by counting lines again', async () => {
    const log = someLog(9);
    const tailBegin = 13 + 20;
    const asked: string[] = [];
    await using gateway = await GatewayStandIn.open({
      logs: (url, response) => {
        asked.push(url.search);
        const position = Number(url.searchParams.get('position') ?? tailBegin);
        response.writeHead(200, { 'x-log-position': String(position) });
        if (asked.length > 1) return void response.end(log.subarray(position));
        response.write(log.subarray(position, position + 30), () => response.destroy());
      },
      commands: { 'workload.logs': completeAt(log) },
    });
    const entries = await collect(openClient({}, { url: gateway.url }).followLogs('wl-1', { tail: 2 }));
    expect(encodeAll(entries).equals(log.subarray(tailBegin))).toBe(true);
    expect(asked[0]).toBe('?tail=2&follow=true');
    expect(asked[1]).toMatch(/^\?position=\d+&follow=true$/);
  });

  it('ends for a tail of nothing when the log is complete', async () => {
    await using gateway = await GatewayStandIn.open({
      logs: (_, response) => response.writeHead(200, { 'x-log-position': '0' }).end(),
      commands: {
        'workload.logs': ({ tail }) => ({
          entries: [],
          position: 99,
          droppedBytes: 0,
          complete: tail === 0,
        }),
      },
    });
    expect(await collect(openClient({}, { url: gateway.url }).followLogs('wl-1', { tail: 0 }))).toEqual([]);
  });

  it('goes on with the log of the next attempt, and says where it begins', async () => {
    const logs = [someLog(3), someLog(5)];
    const asked: string[] = [];
    await using gateway = await GatewayStandIn.open({
      logs: (url, response) => {
        asked.push(url.search);
        const isFirst = url.searchParams.get('attempt') === null;
        const [attempt, log] = isFirst ? ['1', logs[0]] : ['2', logs[1]];
        response.writeHead(200, { 'x-log-attempt': attempt, 'x-log-position': '0' }).end(log);
      },
      commands: {
        'workload.logs': ({ attempt, position }) => ({
          ...{ entries: [], attempt, position, droppedBytes: 0 },
          complete: attempt === 2,
        }),
      },
    });
    const entries = await collect(openClient({}, { url: gateway.url }).followLogs('wl-1'));
    expect(entries.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 2, 2, 2, 2, 2, 2]);
    const [notice] = entries.splice(3, 1);
    expect(Buffer.from(notice?.bytes ?? []).toString()).toBe('attempt 2 begins\n');
    expect(encodeAll(entries).equals(Buffer.concat(logs))).toBe(true);
    expect(asked[1]).toBe(`?position=${logs[0]?.length}&attempt=1&follow=true`);
  });

  it('says how much rotation had removed', async () => {
    const log = someLog(3);
    await using gateway = await GatewayStandIn.open({
      logs: (_, response) => response.writeHead(200, { 'x-log-position': '1000' }).end(log),
    });
    const client = openClient({}, { url: gateway.url });
    const [notice, ...entries] = await collect(client.followLogs('wl-1', { position: 400, follow: false }));
    expect(notice).toMatchObject({ stream: 'notice', position: 1000 });
    expect(Buffer.from(notice?.bytes ?? []).toString()).toContain('600 bytes');
    expect(entries.at(-1)?.position).toBe(1000 + log.length);
  });

  it('drops the connection when the reader stops', async () => {
    const closed = Promise.withResolvers<string>();
    await using gateway = await GatewayStandIn.open({
      logs: (_, response) => {
        response.on('close', () => closed.resolve('closed'));
        response.writeHead(200, { 'x-log-position': '0' }).write(someLog(4));
      },
    });
    for await (const entry of openClient({}, { url: gateway.url }).followLogs('wl-1')) {
      expect(entry.stream).toBe('stdout');
      break;
    }
    expect(await closed.promise).toBe('closed');
  });
});

describe('RecordReader', () => {
  it('gives the same entries however the bytes are cut', () => {
    const log = someLog(12);
    const cuts = fc.array(fc.nat(log.length), { maxLength: 30 });
    fc.assert(
      fc.property(cuts, fc.nat(1_000_000), (unsorted, begin) => {
        const reader = new RecordReader(begin);
        const edges = [0, ...unsorted.toSorted((left, right) => left - right), log.length];
        const entries = edges
          .slice(1)
          .flatMap((end, index) => [...reader.push(log.subarray(edges[index], end))]);
        expect(encodeAll(entries).equals(log)).toBe(true);
        expect(reader.position).toBe(begin + log.length);
      }),
    );
  });
});
