// Shows that a log that is read again from anywhere, rotated or not, yields each byte once.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareTimes, StreamCursor, unixTime } from '../../../src/execution/container/stream-cursor.ts';

interface LogEntry {
  readonly at: string;
  readonly payload: Buffer;
}

/** A stream's log: times rise or stay, payloads are unlike each other. */
const logs = fc
  .array(fc.record({ later: fc.nat(2), size: fc.nat(5) }), { minLength: 1, maxLength: 30 })
  .map((steps): LogEntry[] => {
    let nanoseconds = 0;
    let letter = 0;
    return steps.map(({ later, size }) => {
      nanoseconds += later;
      const payload = Buffer.from(Array.from({ length: size }, () => (letter += 1) % 251));
      return { at: `2026-01-01T00:00:00.${String(nanoseconds).padStart(9, '0')}Z`, payload };
    });
  });

function read(cursor: StreamCursor, entries: readonly LogEntry[]): Buffer {
  return Buffer.concat(entries.map(({ at, payload }) => cursor.take(at, payload)));
}

describe('StreamCursor', () => {
  it('goes on exactly while the beginning is there, however far the reader got beyond its position', () => {
    fc.assert(
      fc.property(logs, fc.nat(30), fc.nat(100), (entries, cut, ahead) => {
        const whole = Buffer.concat(entries.map(({ payload }) => payload));
        const first = new StreamCursor(undefined, 0);
        const known = Math.min(whole.length, read(first, entries.slice(0, cut)).length + ahead);
        const second = new StreamCursor(first.position, known);
        expect(read(second, entries)).toEqual(whole.subarray(known));
        expect(second.known).toBe(whole.length);
        expect(second.gap).toBe(false);
      }),
    );
  });

  it('goes on exactly when older entries were rotated away, as long as the last one is there', () => {
    fc.assert(
      fc.property(logs, fc.nat(30), fc.nat(30), (entries, cut, rotated) => {
        const first = new StreamCursor(undefined, 0);
        const seen = read(first, entries.slice(0, cut));
        const { position } = first;
        const oldest = Math.min(rotated, Math.max(0, cut - 1));
        // Entries of the position's own time must all be there, and not be mistaken for the beginning.
        const kept = entries.slice(oldest);
        fc.pre(position !== undefined && kept[0]?.at !== position.first);
        fc.pre(position !== undefined && position.atBytes > 0);
        fc.pre(!entries.slice(0, oldest).some(({ at }) => at === position?.at));
        const second = new StreamCursor(position, seen.length);
        expect(read(second, kept)).toEqual(Buffer.concat(entries.slice(cut).map(({ payload }) => payload)));
        expect(second.gap).toBe(false);
      }),
    );
  });

  it('says when entries between were rotated away', () => {
    const position = { first: time(1), at: time(5), atBytes: 3, bytes: 30 };
    const cursor = new StreamCursor(position, 30);
    expect(cursor.take(time(7), Buffer.from('new')).toString()).toBe('new');
    expect(cursor.gap).toBe(true);
  });

  it('takes all of a new time as new when an engine died with an unfinished line', () => {
    const cursor = new StreamCursor(undefined, 12, time(5));
    expect(cursor.take(time(1), Buffer.from('logged ')).toString()).toBe('');
    expect(cursor.take(time(6), Buffer.from('after')).toString()).toBe('after');
    expect(cursor.newSince).toBeUndefined();
    expect(cursor.known).toBe(12);
  });

  function time(seconds: number): string {
    return `2026-01-01T00:00:0${seconds}.000000000Z`;
  }
});

describe('times of engines', () => {
  it('are ordered over notations', () => {
    expect(compareTimes('2026-01-01T00:00:00.5Z', '2026-01-01T00:00:00.500000000Z')).toBe(0);
    expect(
      compareTimes('2026-01-01T02:00:00.000000002+02:00', '2026-01-01T00:00:00.000000001Z'),
    ).toBeGreaterThan(0);
    expect(compareTimes('2025-12-31T19:00:00-05:00', '2026-01-01T00:00:00.000000001Z')).toBeLessThan(0);
  });

  it('are asked for in unix time', () => {
    expect(unixTime('1970-01-01T00:00:01.25Z')).toBe('1.250000000');
  });
});
