// Shows that output is stored in order and within its rate, what is dropped is counted, and last words stay.
import { silentLogger, type Clock } from '@clawbernetes/kernel';
import { memoryDisk, SegmentLog, decodeRecords, MemorySegments } from '@clawbernetes/telemetry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttemptOutput, type OutputLimits } from '../../src/supervisor/attempt-output.ts';

/** A clock that a test moves by hand. */
class HandClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): { cancel: () => void } {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers]) {
      if (timer.atMs > this.#nowMs) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
  }
}

const limits: OutputLimits = { bytesPerSecond: 1000, burstBytes: 4000, readBytesPerSecond: 1e9 };

function open(options = limits): { clock: HandClock; log: SegmentLog; output: AttemptOutput } {
  const clock = new HandClock();
  const log = SegmentLog.open({ segments: memoryDisk() }, { folder: 'log' });
  const output = new AttemptOutput({ clock, logger: silentLogger, log, grown: () => undefined }, options);
  return { clock, log, output };
}

/** What the next supervisor finds in the log. */
function reopened(log: SegmentLog): AttemptOutput {
  const deps = { clock: new HandClock(), logger: silentLogger, grown: () => undefined };
  return new AttemptOutput({ ...deps, log }, limits);
}

function recordsOf(log: SegmentLog): string[] {
  return [...decodeRecords(log.read(0, 1e7).records)].map(
    ({ stream, bytes }) => `${stream}:${Buffer.from(bytes).toString()}`,
  );
}

describe('the output of an attempt', () => {
  it('is stored in the order of its streams, at once while within the rate', () => {
    const { log, output } = open();
    output.write('stdout', Buffer.from('a'));
    output.write('stderr', Buffer.from('b'));
    output.write('stdout', Buffer.from('c'));
    expect(recordsOf(log)).toEqual(['stdout:a', 'stderr:b', 'stdout:c']);
    expect(output.finish()).toBeUndefined();
  });

  it('loses over the rate what is oldest, says how much, and keeps what came last', () => {
    const { log, output } = open();
    const chunk = 100 * 1024;
    const total = 40;
    for (let index = 0; index < total; index += 1)
      output.write('stdout', Buffer.alloc(chunk, 97 + (index % 26)));
    output.write('stderr', Buffer.from('the error that explains it all'));
    output.finish();
    const stored = recordsOf(log);
    expect(stored.at(-1)).toBe('stderr:the error that explains it all');
    const dropped = Number(
      /^notice:(\d+) bytes/.exec(stored.find((text) => text.startsWith('notice:')) ?? '')?.[1],
    );
    const kept = stored
      .filter((text) => text.startsWith('stdout:'))
      .reduce((sum, text) => sum + text.length - 7, 0);
    expect(dropped + kept).toBe(total * chunk);
    expect(dropped).toBeGreaterThan(0);
  });

  it('accounts for every byte and keeps to its rate, whatever comes when', () => {
    const writes = fc.array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.nat(400)), {
      maxLength: 60,
      size: 'max',
    });
    fc.assert(
      fc.property(writes, (steps) => {
        const { clock, log, output } = open();
        let written = 0;
        for (const [length, pauseMs] of steps) {
          written += length;
          output.write('stdout', Buffer.alloc(length, 'x'));
          clock.advance(pauseMs);
          const stored = recordsOf(log).filter((text) => text.startsWith('stdout:'));
          const bytes = stored.reduce((sum, text) => sum + text.length - 7, 0);
          expect(bytes).toBeLessThanOrEqual(
            limits.burstBytes + (clock.nowMs() / 1000) * limits.bytesPerSecond,
          );
        }
        output.finish();
        const texts = recordsOf(log);
        const stored = texts
          .filter((text) => text.startsWith('stdout:'))
          .reduce((sum, text) => sum + text.length - 7, 0);
        const dropped = texts.flatMap((text) => /^notice:(\d+) bytes/.exec(text)?.[1] ?? []);
        expect(stored + dropped.map(Number).reduce((sum, bytes) => sum + bytes, 0)).toBe(written);
      }),
    );
  });

  it('holds a workload back that prints faster than is read, until its debt is paid', async () => {
    const { clock, output } = open({ bytesPerSecond: 1000, burstBytes: 2000, readBytesPerSecond: 10_000 });
    expect(output.write('stdout', Buffer.alloc(1000))).toBe(true);
    expect(output.write('stdout', Buffer.alloc(5000))).toBe(false);
    let drained = false;
    const waiting = output.drained().then(() => (drained = true));
    clock.advance(100);
    await Promise.resolve();
    expect(drained).toBe(false);
    clock.advance(500);
    await waiting;
    expect(output.write('stdout', Buffer.alloc(10))).toBe(true);
  });

  it('goes on when the disk refuses it, counts the loss in the log, and says so if it never came back', () => {
    const clock = new HandClock();
    const disk = new FullDisk();
    const log = SegmentLog.open({ segments: () => disk }, { folder: 'log' });
    const output = new AttemptOutput({ clock, logger: silentLogger, log, grown: () => undefined }, limits);
    disk.full = true;
    output.write('stdout', Buffer.from('lost'));
    disk.full = false;
    output.write('stdout', Buffer.from('kept'));
    expect(recordsOf(log)).toEqual([
      'notice:4 bytes of output were lost here: no space left on device\n',
      'stdout:kept',
    ]);
    disk.full = true;
    output.write('stdout', Buffer.from('gone'));
    expect(output.finish()).toBe('4 B of output were lost: no space left on device');
  });
});

class FullDisk extends MemorySegments {
  full = false;

  override append(start: number, parts: readonly Uint8Array[]): void {
    if (this.full) throw new Error('no space left on device');
    super.append(start, parts);
  }
}

describe('what the log was given before', () => {
  it('is counted by stream, without our own notices', () => {
    const { log, output } = open();
    expect(output.received).toEqual({ stdout: 0, stderr: 0 });
    output.write('stdout', Buffer.from('abc'));
    output.notice('The supervisor was restarted here.');
    output.write('stderr', Buffer.from('de'));
    output.write('stdout', Buffer.from('f'));
    expect(reopened(log).received).toEqual({ stdout: 4, stderr: 2 });
  });

  it('is not known once some was dropped', () => {
    const { clock, log, output } = open();
    for (let count = 0; count < 8; count += 1) output.write('stdout', Buffer.alloc(2000));
    clock.advance(60_000);
    output.finish();
    expect(recordsOf(log).some((record) => record.includes('were dropped here'))).toBe(true);
    expect(reopened(log).received).toBeUndefined();
  });

  it('is not known once the log was rotated', () => {
    const options = { folder: 'log', maxBytes: 4000, segmentBytes: 2000 };
    const log = SegmentLog.open({ segments: memoryDisk() }, options);
    for (let count = 0; count < 8; count += 1) log.append('stdout', 0, Buffer.alloc(1000));
    expect(log.start).toBeGreaterThan(0);
    expect(reopened(log).received).toBeUndefined();
  });
});
