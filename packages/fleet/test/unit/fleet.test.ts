// Shows what the fleet promises over its store: acknowledged work survives, terminal is absorbing, repair
// repairs.
import { compareEpochs } from '@clawbernetes/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { codeOf, FleetFixture, inventory, status } from './fleet-fixture.ts';

let fixture: FleetFixture;
beforeEach(async () => {
  fixture = await FleetFixture.open();
});

describe('submission', () => {
  test('a workload waits with a reason until a node can take it, then is placed and offered once durable', async () => {
    const workload = fixture.submit({ resources: { gpus: 2 } });
    await fixture.settle();
    expect(fixture.fleet.workloadView(workload)).toMatchObject({
      state: 'queued',
      waiting: { reason: 'no-nodes' },
    });
    fixture.join('small', 1);
    await fixture.settle();
    expect(fixture.fleet.workloadView(workload).waiting?.reason).toBe('never-fits');
    const nodeId = fixture.join('large', 4);
    expect(fixture.orders).toEqual([]);
    await fixture.settle();
    expect(fixture.state(workload)).toBe('reserved');
    expect(fixture.attemptOf(workload).devices).toHaveLength(2);
    expect(fixture.orders.map(({ nodeId: to, order }) => [to, order.kind])).toEqual([[nodeId, 'start']]);
  });

  test('an idempotency key answers the same workload, and refuses another body', () => {
    const first = fixture.submit({ command: ['a'] }, 'key-00000001');
    expect(fixture.submit({ command: ['a'] }, 'key-00000001').id).toBe(first.id);
    expect(codeOf(() => fixture.submit({ command: ['b'] }, 'key-00000001'))).toBe('conflict');
  });

  test('a request that is repeated after the end of its workload, and a restart, makes no second one', async () => {
    fixture.join('n');
    const first = fixture.submit({ command: ['a'] }, 'key-00000001');
    await fixture.settle();
    fixture.report(fixture.attemptOf(first), { state: 'exited', exitCode: 0, revision: 1 });
    await fixture.settle();
    await fixture.crashAndReopen();
    expect(fixture.submit({ command: ['a'] }, 'key-00000001').id).toBe(first.id);
    expect(fixture.state(first)).toBe('succeeded');
  });

  test('every attempt has a newer epoch than all before it', async () => {
    fixture.join('n');
    const epochs = [];
    for (let round = 0; round < 6; round += 1) {
      const { id } = fixture.submit();
      await fixture.settle();
      epochs.push(fixture.attemptOf(fixture.fleet.workload('default', id)).epoch);
      if (round === 3) await fixture.crashAndReopen();
      fixture.connect('node-n');
    }
    for (const [index, epoch] of epochs.slice(1).entries())
      expect(compareEpochs(epoch, epochs[index]!)).toBeGreaterThan(0);
  });

  test('a name belongs to one live workload at a time', async () => {
    const first = fixture.submit({ name: 'train' });
    expect(codeOf(() => fixture.submit({ name: 'train' }))).toBe('name-taken');
    fixture.fleet.intake.stop(first, false);
    expect(fixture.state(first)).toBe('cancelled');
    expect(fixture.submit({ name: 'train' }).id).not.toBe(first.id);
  });

  test('the queue has a limit, and says when to try again', async () => {
    fixture = await FleetFixture.open({ maxQueued: 2 });
    fixture.submit();
    fixture.submit();
    expect(codeOf(() => fixture.submit())).toBe('overloaded');
  });

  test('work waits for capacity and takes what an ended workload frees', async () => {
    fixture.join('n', 2);
    const [first, second] = [
      fixture.submit({ resources: { gpus: 2 } }),
      fixture.submit({ resources: { gpus: 1 } }),
    ];
    await fixture.settle();
    expect(fixture.fleet.workloadView(second).waiting).toMatchObject({ reason: 'waiting-for-capacity' });
    fixture.report(fixture.attemptOf(first), { state: 'exited', exitCode: 0, revision: 4 });
    await fixture.settle();
    expect([fixture.state(first), fixture.state(second)]).toEqual(['succeeded', 'reserved']);
    expect(fixture.ended).toEqual([first.id]);
  });
});

describe('reports', () => {
  test('every revision is acknowledged, also repeats and those of attempts nobody knows', async () => {
    const nodeId = fixture.join('n');
    fixture.fleet.reports.report(nodeId, [
      status({ id: 'at-unknown', epoch: { term: 1, counter: 1 } }, { state: 'exited', revision: 9 }),
    ]);
    await fixture.settle();
    expect(fixture.orders.at(-1)?.order).toEqual({
      kind: 'acknowledge',
      revisions: [{ attemptId: 'at-unknown', revision: 9 }],
    });
  });

  test('a report under another epoch or from another node changes nothing', async () => {
    fixture.join('n');
    const other = fixture.join('other');
    const workload = fixture.submit({ nodeSelector: { node: 'n' } });
    await fixture.settle();
    const attempt = fixture.attemptOf(workload);
    const forged = status(
      { ...attempt, epoch: { term: 9, counter: 9 } },
      { state: 'exited', revision: 5, exitCode: 0 },
    );
    fixture.fleet.reports.report(attempt.nodeId, [forged]);
    fixture.fleet.reports.report(other, [status(attempt, { state: 'exited', revision: 5, exitCode: 0 })]);
    await fixture.settle();
    expect(fixture.state(workload)).toBe('reserved');
  });

  test('a node’s message that no database could hold does not fail the store', async () => {
    fixture.join('n');
    const workload = fixture.submit();
    await fixture.settle();
    fixture.report(fixture.attemptOf(workload), {
      state: 'lost',
      revision: 2,
      message: 'nul \0 and half \ud800',
    });
    await fixture.settle();
    await fixture.fleet.durable();
    expect(fixture.state(workload)).toBe('failed');
  });

  test('exit codes, signals and limits become the state that a user sees', async () => {
    fixture.join('n');
    const ends = [
      [{ state: 'exited', exitCode: 0 }, 'succeeded'],
      [{ state: 'exited', exitCode: 3 }, 'failed'],
      [{ state: 'killed', signal: 'SIGKILL', reason: 'out-of-memory' }, 'failed'],
      [{ state: 'lost', reason: 'supervisor-lost' }, 'failed'],
    ] as const;
    for (const [end, expected] of ends) {
      const workload = fixture.submit();
      await fixture.settle();
      fixture.report(fixture.attemptOf(workload), { ...end, revision: 3 });
      await fixture.settle();
      expect(fixture.state(workload)).toBe(expected);
    }
  });
});

describe('restart', () => {
  test('what was acknowledged is there after a crash, with the same views, and epochs never go back', async () => {
    fixture.join('n', 2);
    const running = fixture.submit({ name: 'running', resources: { gpus: 1 } });
    const queued = fixture.submit({ name: 'queued', resources: { gpus: 2 } });
    fixture.fleet.config.create('default', 'a/b', { x: [1, 'two', null] });
    await fixture.settle();
    fixture.report(fixture.attemptOf(running), { state: 'running', revision: 2, startedAtMs: 4 });
    await fixture.settle();
    const before = [running, queued].map((workload) => fixture.fleet.workloadView(workload));
    const epoch = fixture.attemptOf(running).epoch;
    await fixture.crashAndReopen();
    await fixture.settle();
    const after = ['running', 'queued'].map((name) =>
      fixture.fleet.workloadView(fixture.fleet.workload('default', name)),
    );
    expect(after[0]).toEqual(before[0]);
    expect(after[1]).toMatchObject({ id: queued.id, state: 'queued' });
    expect(fixture.fleet.config.get('default', 'a/b').value).toEqual({ x: [1, 'two', null] });
    fixture.connect('node-n');
    const next = fixture.submit();
    await fixture.settle();
    expect(fixture.attemptOf(next).epoch.term).toBeGreaterThan(epoch.term);
  });

  test('more than fits one page comes back whole', async () => {
    const submitted = Array.from({ length: 450 }, (_, index) => fixture.submit({ name: `job-${index}` }).id);
    for (let version = 0; version < 3; version += 1) {
      for (let key = 0; key < 80; key += 1) {
        if (version === 0) fixture.fleet.config.create('default', `key-${key}`, version);
        else fixture.fleet.config.update('default', `key-${key}`, version);
      }
    }
    await fixture.settle();
    await fixture.crashAndReopen();
    expect(fixture.fleet.workloads('default').map(({ id }) => id)).toEqual(submitted.toSorted());
    for (let key = 0; key < 80; key += 1) {
      expect(fixture.fleet.config.get('default', `key-${key}`)).toMatchObject({ value: 2, version: 3 });
      expect(fixture.fleet.config.get('default', `key-${key}`, 1).value).toBe(0);
    }
  });

  test('what was not committed is gone as if it had never been asked', async () => {
    const acknowledged = fixture.submit({ name: 'kept' });
    await fixture.settle();
    fixture.disk.setLatency({ minMs: 1000, maxMs: 1000 });
    fixture.submit({ name: 'lost' });
    await fixture.crashAndReopen();
    expect(fixture.fleet.workload('default', 'kept').id).toBe(acknowledged.id);
    const events = await fixture.fleet.events({ from: 0, limit: 100 });
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
  });

  test('a full disk fails the request and everything after it, and nothing half-done is left', async () => {
    const kept = fixture.submit({ name: 'kept' });
    await fixture.settle();
    fixture.disk.setFull(true);
    fixture.submit({ name: 'refused' });
    const outcome = fixture.fleet.durable().then(
      () => 'stored',
      (error: unknown) => (error as { code: string }).code,
    );
    await fixture.settle();
    expect(await outcome).toBe('storage-full');
    fixture.disk.setFull(false);
    await fixture.crashAndReopen();
    expect(fixture.fleet.workloads('default').map(({ id }) => id)).toEqual([kept.id]);
  });
});

describe('nodes out of reach', () => {
  test('silence makes a node suspect, then disconnected; its work is unknown but keeps its GPUs', async () => {
    fixture.join('n', 1);
    const workload = fixture.submit({ resources: { gpus: 1 } });
    await fixture.settle();
    fixture.report(fixture.attemptOf(workload), { state: 'running', revision: 2 });
    await fixture.settle(18_900);
    expect(fixture.fleet.nodeView(fixture.fleet.node('n')).connectivity).toBe('connected');
    await fixture.settle(1_100);
    expect(fixture.fleet.nodeView(fixture.fleet.node('n')).connectivity).toBe('suspect');
    await fixture.settle(10_000);
    expect(fixture.fleet.nodeView(fixture.fleet.node('n'))).toMatchObject({
      connectivity: 'disconnected',
      free: { gpus: 0 },
    });
    expect(fixture.fleet.workloadView(workload).attempt).toHaveProperty('unknownSinceMs');
    fixture.connect('node-n');
    fixture.fleet.reports.repair('node-n', [
      status(fixture.attemptOf(workload), { state: 'running', revision: 2 }),
    ]);
    await fixture.settle();
    expect(fixture.state(workload)).toBe('running');
    expect(fixture.fleet.workloadView(workload).attempt).not.toHaveProperty('unknownSinceMs');
  });

  test.each(['preparing', 'running'] as const)('only force gives up %s work out of sight', async (state) => {
    fixture.join('n', 1);
    const workload = fixture.submit({ resources: { gpus: 1 } });
    await fixture.settle();
    const attempt = fixture.attemptOf(workload);
    fixture.report(attempt, { state, revision: 2 });
    await fixture.settle(31_000);
    fixture.fleet.intake.stop(fixture.fleet.workload('default', workload.id), true);
    await fixture.settle();
    expect(fixture.state(workload)).toBe('cancelled');
    expect(fixture.fleet.nodeView(fixture.fleet.node('n')).free.gpus).toBe(1);
    fixture.orders.length = 0;
    fixture.fleet.reports.repair('node-n', [status(attempt, { state, revision: 2 })]);
    await fixture.settle();
    expect(fixture.orders.map(({ order }) => order.kind)).toContain('stop');
    expect(fixture.state(workload)).toBe('cancelled');
  });
});

describe('a new connection', () => {
  test('brings the orders again that were not answered, save those to stop or of accepted attempts', async () => {
    const nodeId = fixture.join('n');
    const [lost, accepted, stopped] = [fixture.submit(), fixture.submit(), fixture.submit()];
    await fixture.settle();
    fixture.report(fixture.attemptOf(accepted), { state: 'accepted', revision: 1 });
    fixture.fleet.intake.stop(stopped, false);
    await fixture.settle();
    fixture.orders.length = 0;
    fixture.fleet.reports.offerAgain(nodeId);
    await fixture.settle();
    const started = fixture.orders.flatMap(({ order }) => (order.kind === 'start' ? [order.attempt.id] : []));
    expect(started).toEqual([fixture.attemptOf(lost).id]);
  });
});

describe('repair', () => {
  test('an offer that the node never got is made again; an accepted attempt that it lost is lost', async () => {
    fixture.join('n');
    const [offered, accepted] = [fixture.submit(), fixture.submit()];
    await fixture.settle();
    fixture.report(fixture.attemptOf(accepted), { state: 'running', revision: 2 });
    await fixture.settle(6_000);
    fixture.orders.length = 0;
    fixture.fleet.reports.repair('node-n', []);
    await fixture.settle();
    const started = fixture.orders.flatMap(({ order }) => (order.kind === 'start' ? [order.attempt.id] : []));
    expect(started).toEqual([fixture.attemptOf(offered).id]);
    expect(fixture.fleet.workloadView(accepted)).toMatchObject({
      state: 'failed',
      attempt: { state: 'lost' },
    });
  });

  test('what a node runs without being asked to is stopped', async () => {
    fixture.join('n');
    const stray = status(
      { id: 'at-stray', epoch: { term: 1, counter: 1 } },
      { state: 'running', revision: 3 },
    );
    fixture.fleet.reports.repair('node-n', [stray]);
    await fixture.settle();
    expect(fixture.orders.map(({ order }) => order)).toContainEqual(
      expect.objectContaining({ kind: 'stop', attemptId: 'at-stray', graceful: false }),
    );
  });
});

describe('nodes', () => {
  test('a draining node gets nothing new and is drained when its last work ends', async () => {
    fixture.join('n');
    const workload = fixture.submit();
    await fixture.settle();
    fixture.fleet.administration.drain(fixture.fleet.node('n'));
    const later = fixture.submit();
    await fixture.settle();
    expect(fixture.state(later)).toBe('queued');
    expect(fixture.fleet.workloadView(later).waiting?.message).toContain('draining');
    fixture.report(fixture.attemptOf(workload), { state: 'exited', exitCode: 0, revision: 2 });
    await fixture.settle();
    await fixture.settle();
    expect(fixture.fleet.node('n').eligibility).toBe('drained');
    fixture.fleet.administration.uncordon(fixture.fleet.node('n'));
    await fixture.settle();
    expect(fixture.state(later)).toBe('reserved');
  });

  test('a GPU that falls ill gets no more work, and the others of its node do', async () => {
    const id = fixture.join('n', 2);
    const sick = inventory('n', 2);
    const gpus = sick.gpus.map((gpu, index) =>
      index === 0 ? { ...gpu, health: { state: 'unhealthy' as const, reason: 'Xid 79' } } : gpu,
    );
    fixture.fleet.registry.changeInventory(id, { ...sick, gpus });
    const [two, one] = [
      fixture.submit({ resources: { gpus: 2 } }),
      fixture.submit({ resources: { gpus: 1 } }),
    ];
    await fixture.settle();
    expect(fixture.state(two)).toBe('queued');
    expect(fixture.attemptOf(one).devices).toEqual(['n-gpu-1']);
    expect(fixture.fleet.nodeView(fixture.fleet.node('n'))).toMatchObject({
      health: 'degraded',
      capacity: { gpus: 1 },
    });
    const events = await fixture.fleet.events({ from: 0, subject: id, limit: 100 });
    expect(events.slice(-2)).toMatchObject([
      { type: 'node.inventory', message: expect.stringContaining('Xid 79') },
      { type: 'gpu.quarantined', cause: 'health', message: expect.stringContaining('Xid 79') },
    ]);
  });

  test('a name belongs to one key', () => {
    fixture.join('n');
    const twin = { ...fixture.fleet.node('n'), id: 'node-twin', preApproved: true };
    expect(codeOf(() => fixture.fleet.registry.register(twin))).toBe('name-taken');
  });

  test('a join token works once, and not after its time', async () => {
    const token = { secretHash: 'h', approve: true };
    fixture.fleet.addJoinToken({ id: 'a', ...token, expiresAtMs: fixture.clock.nowMs() + 1000 });
    fixture.fleet.addJoinToken({ id: 'b', ...token, expiresAtMs: fixture.clock.nowMs() + 1000 });
    await fixture.settle();
    expect(fixture.fleet.redeemJoinToken('a', 'wrong')).toBeUndefined();
    expect(fixture.fleet.redeemJoinToken('a', 'h')).toEqual({ approve: true });
    expect(fixture.fleet.redeemJoinToken('a', 'h')).toBeUndefined();
    await fixture.settle(2000);
    expect(fixture.fleet.redeemJoinToken('b', 'h')).toBeUndefined();
    await fixture.crashAndReopen();
    expect(fixture.fleet.redeemJoinToken('a', 'h')).toBeUndefined();
  });
});

describe('history', () => {
  test('ended workloads and old events are dropped past their limits; live ones never', async () => {
    const options = { retainEnded: 3, retainEvents: 20 };
    fixture = await FleetFixture.open(options);
    fixture.join('n');
    const live = fixture.submit({ name: 'live' });
    for (let round = 0; round < 8; round += 1) {
      const workload = fixture.submit();
      await fixture.settle();
      fixture.report(fixture.attemptOf(workload), { state: 'exited', exitCode: 0, revision: 2 });
      await fixture.settle();
    }
    expect(fixture.fleet.workloads('default').length).toBeLessThanOrEqual(4);
    expect(fixture.removed.length).toBeGreaterThanOrEqual(5);
    const events = await fixture.fleet.events({ from: 0, limit: 1000 });
    expect(events.length).toBeLessThanOrEqual(21);
    expect(events.at(-1)?.sequence).toBe(fixture.fleet.eventSequence);
    await fixture.crashAndReopen(options);
    expect(fixture.fleet.workload('default', 'live').id).toBe(live.id);
  });
});
