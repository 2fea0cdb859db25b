// Shows that load, loss and bad luck stay bounded: history, batches, failing stores and actions, clocks that
// jump, and what a node lists too early.
import { silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import type { RowChange } from '@clawbernetes/storage';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_FLEET_OPTIONS, type NodeOrder } from '../../src/index.ts';
import { FleetWriter } from '../../src/fleet-writer.ts';
import { codeOf, FleetFixture, inventory, status } from './fleet-fixture.ts';

const kinds = (fixture: FleetFixture): NodeOrder['kind'][] => fixture.orders.map(({ order }) => order.kind);

describe('history', () => {
  test('a long queue does not push out what has ended: its exit codes stay to be read', async () => {
    const fixture = await FleetFixture.open({ retainEnded: 3 });
    fixture.join('n');
    for (let count = 0; count < 20; count += 1) fixture.submit({ resources: { gpus: 1 } });
    const run = fixture.submit();
    await fixture.settle();
    fixture.report(fixture.attemptOf(run), { state: 'exited', exitCode: 7, revision: 2 });
    await fixture.settle();
    fixture.submit();
    await fixture.settle();
    expect(fixture.fleet.workloadView(fixture.fleet.workload('default', run.id)).exitCode).toBe(7);
    expect(fixture.removed).toEqual([]);
  });

  test('of many that end in any order, those that ended last are kept', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 4 }), async (order) => {
        const fixture = await FleetFixture.open({ retainEnded: 3 });
        fixture.join('n');
        const all = Array.from({ length: 8 }, () => fixture.submit());
        await fixture.settle();
        for (const index of order) {
          const workload = all[index];
          if (workload)
            fixture.report(fixture.attemptOf(workload), { state: 'exited', exitCode: 0, revision: 2 });
          await fixture.settle();
        }
        await fixture.settle();
        const kept = all.map(({ id }) => fixture.fleet.findWorkload(id) !== undefined);
        const gone = new Set(order.slice(0, -3));
        expect(kept).toEqual(all.map((_, index) => !gone.has(index)));
      }),
      { numRuns: 15 },
    );
  });
});

test('rows of any size are read back: a page is as long as the store will answer', async () => {
  const fixture = await FleetFixture.open();
  const reason = 'x'.repeat(900_000);
  for (let index = 0; index < 45; index += 1) {
    const [gpu] = inventory('n', 1).gpus;
    const sick = { ...gpu!, health: { state: 'degraded' as const, reason } };
    fixture.join(`n${index}`, 1, { gpus: [sick] });
    await fixture.settle();
  }
  await fixture.crashAndReopen();
  expect(fixture.fleet.nodes()).toHaveLength(45);
});

test('join tokens that were never used go when they have expired', async () => {
  const fixture = await FleetFixture.open();
  const add = (id: string, expiresAtMs: number): void =>
    fixture.fleet.addJoinToken({ id, secretHash: 'h', approve: true, expiresAtMs });
  add('old', fixture.clock.nowMs() + 1000);
  await fixture.settle(2000);
  add('new', fixture.clock.nowMs() + 1000);
  await fixture.settle();
  await fixture.crashAndReopen();
  expect(fixture.fleet.redeemJoinToken('new', 'h')).toEqual({ approve: true });
  for (let index = 0; index < 10_000; index += 1) add(`t${index}`, fixture.clock.nowMs() + 60_000);
  expect(codeOf(() => add('one more', fixture.clock.nowMs() + 60_000))).toBe('overloaded');
});

test('names that are made stay apart, however many live', async () => {
  const fixture = await FleetFixture.open();
  fixture.random.bytes = () => new Uint8Array(7);
  const first = fixture.submit();
  await fixture.settle(5);
  const second = fixture.submit();
  expect(first.name).toBe(`true-${first.id.slice(-6)}`);
  expect(second.name).not.toBe(first.name);
});

describe('a store that is slow, full of work or gone', () => {
  test('takes in no more workloads than may wait for it, and does again when it has caught up', async () => {
    const fixture = await FleetFixture.open({ maxUnstoredRows: 40 });
    await fixture.settle();
    fixture.disk.setLatency({ minMs: 1000, maxMs: 1000 });
    let refused: string | undefined;
    for (let count = 0; count < 100 && refused === undefined; count += 1) {
      refused = codeOf(() => fixture.submit());
      await fixture.settle(0);
    }
    expect(refused).toBe('overloaded');
    await fixture.settle(5_000);
    expect(codeOf(() => fixture.submit())).toBeUndefined();
  });

  test('a batch that it did not take fails everything after it too: nothing may rest on rows that are missing', async () => {
    const taken: number[] = [];
    const store = {
      submit: (rows: readonly RowChange[]): Promise<void> => {
        if (rows.length === 2)
          return Promise.reject(Object.assign(new Error('full'), { code: 'storage-overloaded' }));
        taken.push(rows.length);
        return Promise.resolve();
      },
    };
    const writer = new FleetWriter({ clock: new VirtualClock(), logger: silentLogger, store }, 0);
    const failures: unknown[] = [];
    writer.onFailed((error) => failures.push(error));
    const row: RowChange = { table: 'node', delete: { id: 'x' } };
    writer.write(row);
    await writer.durable();
    writer.write(row, row);
    await expect(writer.durable()).rejects.toThrow('full');
    let acted = false;
    writer.write(row, row, row);
    writer.whenDurable(() => (acted = true));
    await expect(writer.durable()).rejects.toThrow('full');
    expect({ taken, acted, failures: failures.length }).toEqual({ taken: [1], acted: false, failures: 1 });
  });

  test('an action that fails keeps none of the others back', async () => {
    const store = { submit: () => Promise.resolve() };
    const writer = new FleetWriter({ clock: new VirtualClock(), logger: silentLogger, store }, 0);
    const done: string[] = [];
    writer.onEvents(() => {
      throw new Error('a defect');
    });
    writer.record({ namespace: 'default', type: 't', subject: 's', cause: 'user', message: 'm' });
    writer.whenDurable(() => done.push('first'));
    writer.whenDurable(() => {
      throw new Error('another');
    });
    writer.whenDurable(() => done.push('last'));
    await writer.durable();
    expect(done).toEqual(['first', 'last']);
  });

  test('the loss of a whole fleet at once is more than one batch, and all of it is stored', async () => {
    const fixture = await FleetFixture.open();
    const nodes = Array.from({ length: 60 }, (_, index) =>
      fixture.join(`n${index}`, 0, {
        cpu: { model: 'm', cores: 64, sockets: 1, numaNodes: 1 },
        memoryMib: 1e6,
      }),
    );
    for (let batch = 0; batch < 12; batch += 1) {
      for (let count = 0; count < 1_000; count += 1) fixture.submit();
      for (let turn = 0; turn < 5; turn += 1) await fixture.settle(10);
    }
    expect(nodes.reduce((sum, id) => sum + fixture.fleet.liveAttempts(id).length, 0)).toBe(12_000);
    const before = fixture.fleet.eventSequence;
    await fixture.settle(31_000);
    await fixture.fleet.durable();
    const unknown = nodes.flatMap((id) => fixture.fleet.liveAttempts(id)).filter((one) => one.unknownSinceMs);
    expect(unknown).toHaveLength(12_000);
    const freezes = 1;
    expect(fixture.fleet.eventSequence - before).toBe(12_000 + 2 * nodes.length + freezes);
  });
});

describe('lists that come too early or from another time', () => {
  test('an order that may still be on its way is neither repeated nor given up, stopped or not', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('n', 1);
    const { id } = fixture.submit({ resources: { gpus: 1 } });
    await fixture.settle();
    const workload = fixture.fleet.intake.stop(fixture.fleet.workload('default', id), false);
    await fixture.settle();
    fixture.orders.length = 0;
    fixture.fleet.reports.repair('node-n', []);
    await fixture.settle();
    expect([fixture.state(workload), kinds(fixture)]).toEqual(['stopping', []]);
    // It may have been repeated since: the GPU is free once the node says that it will not begin.
    await fixture.settle(DEFAULT_FLEET_OPTIONS.offerAgainAfterMs);
    fixture.fleet.reports.repair('node-n', []);
    await fixture.settle();
    expect([fixture.state(workload), kinds(fixture)]).toEqual(['stopping', ['stop']]);
    expect(fixture.fleet.nodeView(fixture.fleet.node('n')).free.gpus).toBe(0);
    fixture.report(fixture.attemptOf(workload), { state: 'killed', reason: 'stopped', revision: 1 });
    await fixture.settle();
    expect(fixture.state(workload)).toBe('cancelled');
    expect(fixture.fleet.nodeView(fixture.fleet.node('n')).free.gpus).toBe(1);
  });

  test('a clock that goes back does not keep a lost order from being given again', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('n');
    fixture.submit();
    await fixture.settle();
    fixture.clock.jumpWallTime(-3_600_000);
    fixture.orders.length = 0;
    fixture.fleet.reports.repair('node-n', []);
    await fixture.settle();
    expect(kinds(fixture)).toEqual(['start']);
  });

  test('an attempt under another epoch is stopped there, and the real one offered again', async () => {
    const fixture = await FleetFixture.open({ offerAgainAfterMs: 0 });
    fixture.join('n');
    const attempt = fixture.attemptOf(await submitted(fixture));
    const old = { id: attempt.id, epoch: { term: 0, counter: 1 } };
    fixture.orders.length = 0;
    fixture.fleet.reports.repair('node-n', [status(old, { state: 'running', revision: 9 })]);
    await fixture.settle();
    expect(fixture.orders.map(({ order }) => order)).toMatchObject([
      { kind: 'acknowledge' },
      { kind: 'start', attempt: { id: attempt.id } },
      { kind: 'stop', attemptId: attempt.id, epoch: old.epoch, graceful: false },
    ]);
  });
});

describe('nodes', () => {
  test('one that drained while nobody looked is drained after a restart', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('n');
    const workload = await submitted(fixture);
    fixture.fleet.administration.drain(fixture.fleet.node('n'));
    fixture.disk.setLatency({ minMs: 50, maxMs: 50 });
    fixture.report(fixture.attemptOf(workload), { state: 'exited', exitCode: 0, revision: 2 });
    // Stored, but the gateway dies before it acts on it.
    await fixture.settle(50);
    const stored = await fixture.fleet.events({ from: 1, limit: 1000 });
    expect(stored.some(({ type }) => type === 'node.drained')).toBe(false);
    await fixture.crashAndReopen();
    expect(fixture.fleet.node('n').eligibility).toBe('draining');
    await fixture.settle(2_000);
    expect(fixture.fleet.node('n').eligibility).toBe('drained');
  });

  test('one that comes back larger over a newer connection gets what waited for that', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('n', 1);
    const large = fixture.submit({ resources: { gpus: 2 } });
    await fixture.settle();
    expect(fixture.state(large)).toBe('queued');
    fixture.join('n', 0, inventory('n', 2));
    await fixture.settle();
    expect(fixture.state(large)).toBe('reserved');
  });

  test('one whose name is taken is refused before anything is used up or stored', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('n');
    expect(codeOf(() => fixture.fleet.registry.checkAdmission('node-other', 'n'))).toBe('name-taken');
    expect(codeOf(() => fixture.fleet.registry.checkAdmission('node-n', 'n'))).toBeUndefined();
  });
});

async function submitted(fixture: FleetFixture): Promise<ReturnType<FleetFixture['submit']>> {
  const workload = fixture.submit();
  await fixture.settle();
  return workload;
}
