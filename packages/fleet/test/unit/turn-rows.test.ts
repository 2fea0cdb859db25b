// Shows that a turn writes each workload and attempt once, as it is at the end, and removals after all else.
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { expect, it } from 'vitest';
import type { AttemptRecord, WorkloadRecord } from '../../src/index.ts';
import { attemptRow, workloadRow } from '../../src/rows.ts';
import { TurnRows } from '../../src/turn-rows.ts';

const queued: WorkloadRecord = {
  id: 'wl-1',
  namespace: 'default',
  name: 'train',
  spec: workloadSpecSchema.parse({ command: ['true'] }),
  state: 'queued',
  submittedAtMs: 1,
  stopRequested: false,
  attempts: 0,
};
const reserved: WorkloadRecord = { ...queued, state: 'reserved', attempts: 1 };
const placed: AttemptRecord = {
  id: 'at-1',
  workloadId: 'wl-1',
  namespace: 'default',
  number: 1,
  nodeId: 'node-1',
  devices: [],
  cpuMilli: 100,
  memoryMib: 64,
  epoch: { term: 1, counter: 1 },
  state: 'placed',
  revision: 0,
  limitations: [],
  placedAtMs: 1,
  logEnd: 0,
};

it('writes a new workload that is placed at once as one new row, and its attempt', () => {
  const rows = new TurnRows();
  rows.workload(queued, { first: true });
  rows.attempt(placed, { first: true });
  rows.workload(reserved, { first: false });
  expect(rows.changes()).toEqual([
    workloadRow(reserved, { first: true }),
    attemptRow(placed, { first: true }),
  ]);
});

it('leaves the specification of a workload alone that has a row already', () => {
  const rows = new TurnRows();
  rows.workload(queued, { first: false });
  rows.workload(reserved, { first: false });
  expect(rows.changes()).toEqual([workloadRow(reserved, { first: false })]);
});

it('writes the newest state of an attempt only', () => {
  const rows = new TurnRows();
  const ended: AttemptRecord = { ...placed, state: 'exited', exitCode: 0, revision: 3 };
  rows.attempt(placed, { first: false });
  rows.attempt(ended, { first: false });
  expect(rows.changes()).toEqual([attemptRow(ended, { first: false })]);
});

it('removes after it has written, so that a workload which ends and goes in one turn is gone', () => {
  const rows = new TurnRows();
  const removal = { table: 'workload', delete: { id: 'wl-1' } };
  const event = { table: 'event', delete: { sequence: 1 } };
  rows.other([event]);
  rows.workload({ ...reserved, state: 'cancelled' }, { first: true });
  rows.other([removal]);
  expect(rows.changes().slice(1)).toEqual([event, removal]);
});

it('is empty when nothing has changed', () => {
  expect(new TurnRows().changes()).toEqual([]);
});
