// Shows that an eviction is judged by whether there is a freeze at its moment, also within one turn.
import { VirtualClock } from '@clawbernetes/kernel/testing';
import type { RowChange } from '@clawbernetes/storage';
import { expect, test } from 'vitest';
import { RowModel } from './row-model.ts';
import { Transitions } from './transitions.ts';

const EPOCH = { term: 1, counter: 1 };

function event(type: string, subject: string, facts: Readonly<Record<string, string>> = {}): RowChange {
  const columns = { type, subject, cause: 'system', message: '', facts: JSON.stringify(facts) };
  return { table: 'event', insert: columns };
}

function attempt(revision: number, more: object = {}): RowChange {
  const data = JSON.stringify({ nodeId: 'nd-1', devices: [], epoch: EPOCH, revision, ...more });
  return { table: 'attempt', upsert: { id: 'at-1', workload_id: 'wl-1', state: 'placed', data } };
}

/** An attempt on a node that takes work, in a fleet that is frozen. */
function frozen(): { readonly model: RowModel; readonly violations: string[] } {
  const violations: string[] = [];
  const model = new RowModel({
    transitions: new Transitions(),
    clock: new VirtualClock(),
    violate: (what) => violations.push(what),
    tell: () => undefined,
    onReconciled: () => undefined,
  });
  const data = JSON.stringify({ approved: true });
  const states = ['joining', 'verifying', 'schedulable'];
  for (const eligibility of states)
    model.submitted([{ table: 'node', upsert: { id: 'nd-1', name: 'node-1', eligibility, data } }]);
  model.submitted([event('node.connected', 'nd-1'), event('node.reconciled', 'nd-1')]);
  model.submitted([attempt(0)]);
  model.submitted([event('fleet.frozen', 'fleet')]);
  return { model, violations };
}

const EVICTED = attempt(1, { evicted: { cause: 'preemptor', message: '' } });
const TOLD = event('attempt.evicted', 'wl-1', { attempt: 'at-1' });

test('work may be evicted in the turn that ends a freeze, after its end', () => {
  const { model, violations } = frozen();
  model.submitted([EVICTED, event('fleet.thawed', 'fleet'), TOLD]);
  expect(violations).toEqual([]);
});

test('before its end it may not, nor in another turn, nor without an event', () => {
  const during = ['at-1 was evicted during a freeze'];
  for (const [turn, expected] of [
    [[EVICTED, TOLD, event('fleet.thawed', 'fleet')], during],
    [[EVICTED, TOLD], during],
    [[EVICTED], ['at-1 was evicted, and no event tells of it']],
  ] as const) {
    const { model, violations } = frozen();
    model.submitted(turn);
    expect(violations).toEqual(expected);
  }
});
