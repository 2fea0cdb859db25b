// Shows that a log keeps its positions over rotation, restarts, copies and torn writes, by a naive model.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  decodeRecords,
  encodeRecord,
  LOG_STREAMS,
  MAX_RECORD_BYTES,
  memoryDisk,
  SegmentLog,
  type LogStream,
  type OpenSegments,
} from '@clawbernetes/telemetry';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'segment-log-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const HEADER = 13;
const bounds = { maxBytes: 400, segmentBytes: 100 };

interface Line {
  readonly position: number;
  readonly stream: LogStream;
  readonly timeMs: number;
  readonly text: string;
}

/** Everything readable from `position` on, read in slices of `maxBytes`. */
function readAll(log: SegmentLog, position = 0, maxBytes = 1000): Line[] {
  const lines: Line[] = [];
  for (let at = position; ;) {
    const slice = log.read(at, maxBytes);
    if (slice.records.length === 0) return lines;
    let start = slice.position;
    for (const { stream, timeMs, bytes, end } of decodeRecords(slice.records)) {
      lines.push({ position: start, stream, timeMs, text: Buffer.from(bytes).toString('latin1') });
      start = slice.position + end;
    }
    at = start;
  }
}

const append = fc.record({
  kind: fc.constant('append' as const),
  stream: fc.constantFrom(...LOG_STREAMS),
  text: fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 60, size: 'max' }),
});
const reopen = fc.record({ kind: fc.constant('reopen' as const) });
const read = fc.record({ kind: fc.constant('read' as const), at: fc.nat(3000), maxBytes: fc.nat(300) });
const commands = fc.array(
  fc.oneof({ weight: 6, arbitrary: append }, reopen, { weight: 2, arbitrary: read }),
  {
    maxLength: 60,
    size: 'max',
  },
);

function checkAgainstModel(
  segments: OpenSegments | undefined,
  steps: typeof commands extends fc.Arbitrary<infer S> ? S : never,
): void {
  const deps = segments ? { segments } : {};
  const options = { folder: mkdtempSync(join(home, 'log-')), ...bounds };
  let log = SegmentLog.open(deps, options);
  const model: Line[] = [];
  let end = 0;
  for (const [timeMs, step] of steps.entries()) {
    if (step.kind === 'append') {
      log.append(step.stream, timeMs, Buffer.from(step.text, 'latin1'));
      model.push({ position: end, stream: step.stream, timeMs, text: step.text });
      end += HEADER + step.text.length;
    } else if (step.kind === 'reopen') {
      log.close();
      log = SegmentLog.open(deps, options);
    } else {
      const from = Math.max(step.at, log.start);
      expect(readAll(log, step.at, step.maxBytes)).toEqual(model.filter(({ position }) => position >= from));
    }
    expect(log.end).toBe(end);
    expect(log.sizeBytes).toBeLessThanOrEqual(bounds.maxBytes);
    expect(readAll(log)).toEqual(model.filter(({ position }) => position >= log.start));
    if (end > bounds.maxBytes)
      expect(log.sizeBytes).toBeGreaterThan(bounds.maxBytes - 2 * bounds.segmentBytes - 80);
  }
  log.close();
}

describe('a segment log', () => {
  it('takes nothing inside a record for one, even if a workload prints what looks like it', () => {
    const forged = encodeRecord({ stream: 'notice', timeMs: 1, bytes: Buffer.from('the platform says') });
    const log = SegmentLog.open({ segments: memoryDisk() }, { folder: 'log' });
    log.append('stdout', 2, forged);
    const next = log.end;
    log.append('stdout', 3, Buffer.from('next'));
    expect(log.read(HEADER, 1000)).toMatchObject({ position: next, end: log.end });
    expect(log.read(next + 1, 1000)).toMatchObject({ position: log.end, records: new Uint8Array() });
  });

  it('in memory equals a list of records', () => {
    fc.assert(
      fc.property(commands, (steps) => checkAgainstModel(memoryDisk(), steps)),
      { numRuns: 150 },
    );
  });

  it('in files equals a list of records', () => {
    fc.assert(
      fc.property(commands, (steps) => checkAgainstModel(undefined, steps)),
      { numRuns: 40 },
    );
  });

  it('creates nothing before the first byte, and files only its owner may read', () => {
    const folder = join(home, 'deep', 'lazy');
    using log = SegmentLog.open({}, { folder });
    log.append('stdout', 1, new Uint8Array());
    expect(log.read(0, 100)).toEqual({ position: 0, records: new Uint8Array(), end: 0 });
    expect(existsSync(join(home, 'deep'))).toBe(false);
    log.append('stdout', 1, Buffer.from('x'));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, '0000000000000000.seg')).mode & 0o777).toBe(0o600);
    log.remove();
    expect(existsSync(folder)).toBe(false);
    expect(log.end).toBe(0);
  });

  it('cuts off a last record that is torn at any byte, and goes on from there', () => {
    const whole = Array.from({ length: 3 }, (_, index) =>
      encodeRecord({ stream: 'stdout', timeMs: index, bytes: Buffer.from(`line ${index}\n`) }),
    );
    const bytes = Buffer.concat(whole);
    const size = bytes.length / 3;
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const folder = mkdtempSync(join(home, 'torn-'));
      writeFileSync(join(folder, '0000000000000500.seg'), bytes.subarray(0, cut));
      using log = SegmentLog.open({}, { folder });
      const kept = Math.floor(cut / size);
      expect(log.end).toBe(500 + kept * size);
      log.append('stderr', 9, Buffer.from('after'));
      expect(readAll(log).map(({ text }) => text)).toEqual([
        ...['line 0\n', 'line 1\n', 'line 2\n'].slice(0, kept),
        'after',
      ]);
    }
  });

  it('cuts off a tail of zeros, as a power cut leaves it', () => {
    const folder = mkdtempSync(join(home, 'zeros-'));
    const record = encodeRecord({ stream: 'stdout', timeMs: 1, bytes: Buffer.from('kept') });
    writeFileSync(join(folder, '0000000000000000.seg'), Buffer.concat([record, Buffer.alloc(4096)]));
    using log = SegmentLog.open({}, { folder });
    expect(log.end).toBe(record.length);
  });

  it('goes on after a segment that was damaged in the middle', () => {
    const folder = join(home, 'hole');
    using log = SegmentLog.open({}, { folder, maxBytes: 400, segmentBytes: 40 });
    for (const text of ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc'])
      log.append('stdout', 1, Buffer.from(text + text));
    truncateSync(join(folder, '0000000000000033.seg'), 5);
    expect(readAll(log).map(({ position, text }) => `${position} ${text.slice(0, 1)}`)).toEqual([
      '0 a',
      '66 c',
    ]);
  });

  it('splits long content into records and gives it back whole', () => {
    using log = SegmentLog.open({}, { folder: join(home, 'long') });
    const content = Buffer.alloc(3 * MAX_RECORD_BYTES + 5, 'x');
    log.append('stdout', 1, content);
    expect(
      Buffer.from(
        readAll(log, 0, 10)
          .map(({ text }) => text)
          .join(''),
      ).equals(content),
    ).toBe(true);
  });

  it('answers the end to a reader past the end', () => {
    using log = SegmentLog.open({}, { folder: join(home, 'past') });
    log.append('stdout', 1, Buffer.from('x'));
    expect(log.read(1e9, 10)).toEqual({ position: 14, records: new Uint8Array(), end: 14 });
  });
});

describe('the copy of a segment log', () => {
  const source = (): SegmentLog => {
    const log = SegmentLog.open(
      { segments: memoryDisk() },
      { folder: 'source', maxBytes: 1e6, segmentBytes: 1e5 },
    );
    for (let index = 0; index < 50; index += 1) log.append('stdout', index, Buffer.from(`line ${index}\n`));
    return log;
  };

  it('has the same records at the same positions, however often and in whatever overlaps it was sent', () => {
    const original = source();
    const lines = readAll(original);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(49), fc.nat(200)), { maxLength: 40, size: 'max' }), (slices) => {
        const copy = SegmentLog.open(
          { segments: memoryDisk() },
          { folder: 'copy', maxBytes: 8000, segmentBytes: 90 },
        );
        const expected = new Set<number>();
        for (const [index, maxBytes] of slices) {
          const { position, records } = original.read(lines[index]?.position ?? 0, maxBytes);
          for (const line of lines) {
            const within = line.position >= position && line.position < position + records.length;
            if (within && line.position >= copy.end) expected.add(line.position);
          }
          expect(copy.appendRaw(position, records)).toBe(copy.end);
        }
        expect(readAll(copy)).toEqual(lines.filter(({ position }) => expected.has(position)));
      }),
    );
  });

  it('remembers a gap over a restart and shows it to readers as bytes that are gone', () => {
    const original = source();
    const lines = readAll(original);
    const [from = 0, gapEnd = 0] = [lines[2]?.position, lines[10]?.position];
    const options = { folder: join(home, 'gap') };
    const first = SegmentLog.open({}, options);
    first.appendRaw(0, original.read(0, from).records);
    first.appendRaw(gapEnd, original.read(gapEnd, 100).records);
    first.close();
    using again = SegmentLog.open({}, options);
    expect(again.read(from, 1000).position - from).toBe(gapEnd - from);
    expect(readAll(again).map(({ position }) => position)).toEqual(
      lines.map(({ position }) => position).filter((at) => at < from || (at >= gapEnd && at < again.end)),
    );
  });

  it('refuses what is not whole records or does not fit, and stays as it was', () => {
    const original = source();
    using copy = SegmentLog.open({}, { folder: join(home, 'refuse') });
    const { records } = original.read(0, 100);
    expect(() => copy.appendRaw(0, records.subarray(0, records.length - 1))).toThrow('whole records');
    expect(() => copy.appendRaw(0, Buffer.from('no records at all here'))).toThrow('whole records');
    copy.appendRaw(0, records);
    expect(() => copy.appendRaw(7, original.read(0, 1000).records)).toThrow('do not continue');
    expect(copy.end).toBe(records.length);
    expect(readdirSync(join(home, 'refuse'))).toHaveLength(1);
  });
});

describe('the tail of a segment log', () => {
  it('begins exactly at the last lines, in the middle of a record if need be', () => {
    const chunk = fc.stringMatching(/^[ab\n]{1,12}$/);
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 40, size: 'max' }),
        fc.integer({ min: 0, max: 12 }),
        (chunks, lines) => {
          const options = { folder: 'tail', maxBytes: 4000, segmentBytes: 70 };
          const log = SegmentLog.open({ segments: memoryDisk() }, options);
          for (const text of chunks) log.append('stdout', 1, Buffer.from(text));
          const texts = (from: number): string =>
            readAll(log, from)
              .map(({ text }) => text)
              .join('');
          const wanted = lastLines(texts(0), lines);
          const { position, skipBytes } = log.tail(lines);
          expect(texts(position).slice(skipBytes)).toBe(wanted);
        },
      ),
    );
  });
});

function lastLines(text: string, count: number): string {
  const lines = text.split(/(?<=\n)/);
  return count === 0 ? '' : lines.slice(-count).join('');
}
