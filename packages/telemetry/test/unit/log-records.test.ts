// Shows that log records survive encoding, that parts of them wait for their rest, and damage is named.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeRecords,
  encodeRecord,
  LOG_STREAMS,
  MAX_RECORD_BYTES,
  measureRecords,
  type LogRecord,
} from '@clawbernetes/telemetry/log-records';

const record = fc.record<LogRecord>({
  stream: fc.constantFrom(...LOG_STREAMS),
  timeMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
  bytes: fc.uint8Array({ maxLength: 40 }),
});

function encodeAll(records: readonly LogRecord[]): Uint8Array {
  return Buffer.concat(records.map(encodeRecord));
}

function withoutEnd({ stream, timeMs, bytes }: LogRecord): LogRecord {
  return { stream, timeMs, bytes: Uint8Array.from(bytes) };
}

describe('log records', () => {
  it('decode to what was encoded, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), (records) => {
        expect([...decodeRecords(encodeAll(records))].map(withoutEnd)).toEqual(records);
      }),
    );
  });

  it('give the whole records of any prefix and say where the next one begins', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (records) => {
        const bytes = encodeAll(records);
        const ends = [...decodeRecords(bytes)].map(({ end }) => end);
        for (let cut = 0; cut <= bytes.length; cut += 1) {
          const whole = ends.filter((end) => end <= cut);
          expect([...decodeRecords(bytes.subarray(0, cut))].map(({ end }) => end)).toEqual(whole);
          expect(measureRecords(bytes.subarray(0, cut))).toEqual({
            length: whole.at(-1) ?? 0,
            damaged: false,
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  it('are decoded from an offset of a larger buffer', () => {
    const bytes = encodeAll([
      { stream: 'stdout', timeMs: 1, bytes: Buffer.from('one') },
      { stream: 'stderr', timeMs: 2, bytes: Buffer.from('two') },
    ]);
    const within = Buffer.concat([Buffer.from('xxx'), bytes]).subarray(3);
    const [first, second] = [...decodeRecords(within)];
    expect([...decodeRecords(within, first?.end)]).toEqual([second]);
  });

  it('keep to a limit, but give at least one record', () => {
    const one = encodeRecord({ stream: 'stdout', timeMs: 1, bytes: Buffer.from('12345') });
    const bytes = Buffer.concat([one, one, one]);
    expect(measureRecords(bytes, 2 * one.length).length).toBe(2 * one.length);
    expect(measureRecords(bytes, 2 * one.length - 1).length).toBe(one.length);
    expect(measureRecords(bytes, 1).length).toBe(one.length);
  });

  it('call damage by its name and place', () => {
    const good = encodeRecord({ stream: 'stdout', timeMs: 1, bytes: Buffer.from('ok') });
    for (const bad of [Buffer.alloc(13), Buffer.from('not a record, but plain text')]) {
      const bytes = Buffer.concat([good, bad]);
      expect(measureRecords(bytes)).toEqual({ length: good.length, damaged: true });
      expect(() => [...decodeRecords(bytes)]).toThrow(`no record begins at byte ${good.length}`);
    }
    expect(() =>
      encodeRecord({ stream: 'stdout', timeMs: 1, bytes: Buffer.alloc(MAX_RECORD_BYTES + 1) }),
    ).toThrow('longest length');
  });
});
