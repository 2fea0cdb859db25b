// Shows that the journal gives back what was flushed, wherever it was torn, and that rewriting loses nothing.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acceptedStatus, changedStatus } from '../../src/supervisor/attempt-machine.ts';
import { Journal, parseJournal } from '../../src/supervisor/journal.ts';
import { type JournalRecord, SupervisorState } from '../../src/supervisor/supervisor-state.ts';
import { launchOf } from './bench.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Lives of a few attempts, step by step, as the supervisor would record them. */
const histories = fc
  .array(fc.tuple(fc.nat(3), fc.constantFrom('next', 'forget', 'boot'), fc.nat(9)), {
    maxLength: 25,
    size: 'max',
  })
  .map((steps) => {
    const state = new SupervisorState();
    const records: JournalRecord[] = [];
    for (const [index, step, counter] of steps) {
      const record = nextRecord(state, `attempt-${index}`, step, counter);
      state.apply(record);
      records.push(record);
    }
    return records;
  });

function nextRecord(state: SupervisorState, attemptId: string, step: string, counter: number): JournalRecord {
  if (step === 'boot') return { type: 'boot', format: 1, bootId: `boot-${counter}` };
  if (step === 'forget') return { type: 'forgotten', attemptIds: [attemptId] };
  const entry = state.attempt(attemptId);
  if (!entry) {
    const launch = launchOf(attemptId, 'echo "ü\n"', {}, { workloadId: 'w', epoch: { term: 1, counter } });
    return { type: 'attempt', entry: { owner: 'node-1', launch, status: acceptedStatus(launch, counter) } };
  }
  const { status } = entry;
  if (status.state === 'accepted') {
    return {
      type: 'changed',
      status: changedStatus(status, { state: 'running' }),
      handle: { executor: 'process', pid: 7 },
    };
  }
  if (status.state !== 'running') return { type: 'epoch', workloadId: 'w', epoch: { term: 1, counter } };
  return { type: 'changed', status: changedStatus(status, { state: 'exited', exitCode: counter }) };
}

function stateOf(records: Iterable<JournalRecord>): SupervisorState {
  const state = new SupervisorState();
  for (const record of records) state.apply(record);
  return state;
}

function facts(state: SupervisorState): unknown {
  const stale = Array.from({ length: 10 }, (_, counter) => state.isStale('w', { term: 1, counter }));
  const forgotten = [0, 1, 2, 3].map((index) => state.wasForgotten(`attempt-${index}`));
  return { forgotten, attempts: [...state.attempts()], live: state.live, bootId: state.bootId, stale };
}

describe('the journal', () => {
  it('torn at any byte gives the records of its whole lines and takes more after them', () => {
    fc.assert(
      fc.property(histories, (records) => {
        const lines = records.map((record) => `${JSON.stringify(record)}\n`);
        const bytes = Buffer.from(lines.join(''));
        let whole = 0;
        let end = 0;
        for (let cut = 0; cut <= bytes.length; cut += 1) {
          const next = Buffer.byteLength(lines[whole] ?? '');
          if (next > 0 && cut >= end + next) [whole, end] = [whole + 1, end + next];
          const parsed = parseJournal(bytes.subarray(0, cut));
          expect(parsed.length).toBe(end);
          expect(parsed.records.length).toBe(whole);
          expect(parsed.damagedLines).toBe(0);
        }
        expect(parseJournal(bytes).records).toEqual(records);
      }),
      { numRuns: 15 },
    );
  });

  it('cuts its torn end off on disk, so that the next record begins a line', () => {
    const path = join(folder, 'journal');
    writeFileSync(path, '{"type":"boot","format":1,"bootId":"a"}\n{"type":"bo');
    const { journal, records } = Journal.open(path);
    expect(records).toHaveLength(1);
    journal.append({ type: 'forgotten', attemptIds: ['x'] });
    expect(journal.flush()).toBeUndefined();
    journal[Symbol.dispose]();
    expect(Journal.open(path).records).toEqual([records[0], { type: 'forgotten', attemptIds: ['x'] }]);
  });

  it('passes over damaged lines and counts them', () => {
    const path = join(folder, 'journal');
    writeFileSync(path, '{"type":"boot","format":1,"bootId":"a"}\n');
    appendFileSync(
      path,
      Buffer.concat([Buffer.alloc(20), Buffer.from('\n42\n{"type":"forgotten","attemptIds":[]}\n')]),
    );
    const { records, damagedLines } = Journal.open(path);
    expect(damagedLines).toBe(2);
    expect(records.map(({ type }) => type)).toEqual(['boot', 'forgotten']);
  });

  it('is for its owner only, and holds nothing before the flush', () => {
    const path = join(folder, 'journal');
    const { journal } = Journal.open(path);
    journal.append({ type: 'forgotten', attemptIds: ['x'] });
    expect(readFileSync(path, 'utf8')).toBe('');
    journal.flush();
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(2);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('says the same after it was rewritten, and is shorter', () => {
    fc.assert(
      fc.property(histories, histories, (before, after) => {
        const path = join(mkdtempSync(join(folder, 'compact-')), 'journal');
        const { journal } = Journal.open(path);
        for (const record of before) journal.append(record);
        journal.flush();
        const size = journal.sizeBytes;
        expect(journal.compact(stateOf(before).records())).toBeUndefined();
        expect(journal.sizeBytes).toBeLessThanOrEqual(size + 200);
        const more = after.filter(({ type }) => type === 'epoch' || type === 'forgotten');
        for (const record of more) journal.append(record);
        journal.flush();
        expect(facts(stateOf(Journal.open(path).records))).toEqual(facts(stateOf([...before, ...more])));
      }),
      { numRuns: 40 },
    );
  });
});
