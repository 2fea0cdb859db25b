// Shows that reports fit into a frame, however many attempts there are and however much their texts say.
import { DEFAULT_MAX_FRAME_BYTES, encodeNodeFrame, type AttemptStatus } from '@clawbernetes/protocol';
import { expect, test } from 'vitest';
import { MAX_ATTEMPTS, reportOf, STATUSES_PER_REPORT } from '../../src/agent/reports.ts';

function statuses(count: number, text: string): AttemptStatus[] {
  return Array.from({ length: count }, (_, index) => ({
    attemptId: `at-${String(index).padStart(20, '0')}`,
    epoch: { term: 4_000_000_000, counter: 4_000_000_000 },
    revision: 4_000_000_000,
    state: 'killed',
    exitCode: 255,
    signal: 'SIGVTALRM',
    reason: 'command-not-executable',
    message: text,
    acceptedAtMs: 4e12,
    startedAtMs: 4e12,
    finishedAtMs: 4e12,
    sandbox: 'bubblewrap',
    limitations: Array.from({ length: 20 }, () => text),
    logEnd: 2 ** 50,
  }));
}

const longest = '字'.repeat(5000);

test('a full report with the longest texts fits', () => {
  const value = { statuses: reportOf(statuses(STATUSES_PER_REPORT, longest)) };
  expect(encodeNodeFrame(1, { case: 'statusReport', value }).length).toBeLessThan(DEFAULT_MAX_FRAME_BYTES);
});

test.each([1, 50, 1000, MAX_ATTEMPTS])('an inventory of %i attempts with the longest texts fits', (count) => {
  const value = { attempts: reportOf(statuses(count, longest)), inventory: new Uint8Array() };
  expect(value.attempts).toHaveLength(count);
  expect(encodeNodeFrame(1, { case: 'inventoryReport', value }).length).toBeLessThan(DEFAULT_MAX_FRAME_BYTES);
});

test('texts of ordinary length are kept whole', () => {
  const text = 'The program was killed by SIGKILL: it used more memory than its limit of 512 MiB.';
  const [report] = reportOf(statuses(1, text));
  expect([report?.message, report?.limitations]).toEqual([text, Array.from({ length: 20 }, () => text)]);
  expect(reportOf(statuses(100, text)).every(({ message }) => message === text)).toBe(true);
});

test('an empty inventory is empty', () => {
  expect(reportOf([])).toEqual([]);
});
