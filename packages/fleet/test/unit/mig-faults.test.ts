// Shows that work on a MIG instance fares as its GPU does: what is wrong with the GPU takes its instances out
// of use and moves their work, and so does an instance that is gone; in words that name both.
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { GpuDevice, GpuFault, NodeInventory } from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../../src/index.ts';
import { codeOf, FleetFixture, inventory } from './fleet-fixture.ts';
import { cutGpu, gpusOf } from './mig-gpus.ts';
import { passTime, startRunning, waitingMessage } from './running-work.ts';

const MINUTE = 60_000;
const PROFILES = ['1g.10gb', '3g.40gb'];
const fell: GpuFault = {
  ...{ key: 'xid-79@1', kind: 'xid', code: 79, action: 'drain-reboot', message: 'Xid 79.' },
};
const smallAsked = { gpus: 1, migProfile: '1g.10gb', cpuMilli: 10, memoryMib: 4 };

let fixture: FleetFixture;
let work: WorkloadRecord;
const node = () => fixture.fleet.node('a');
const states = (): string[] =>
  fixture.fleet.nodeView(node()).gpus.map(({ state, condition }) => condition?.state ?? state);
const evicted = (): string | undefined => fixture.attemptOf(work).evicted?.message;
const pass = (ms: number): Promise<void> => passTime(fixture, ms, ['a']);

/** GPU 0 cut into two instances, GPU 1 whole; `change` is applied to each that stays. */
function devices(keeps: (gpu: GpuDevice) => boolean = () => true, faulty?: string): GpuDevice[] {
  return gpusOf(cutGpu('a', 0, { profiles: PROFILES }), cutGpu('a', 1, { profiles: [] }))
    .filter(keeps)
    .map((gpu) => {
      // An agent gives an instance what is wrong with its GPU.
      if (faulty === undefined || (gpu.id !== faulty && gpu.parentId !== faulty)) return gpu;
      return { ...gpu, health: { state: 'unhealthy', reason: fell.message }, faults: [fell] };
    });
}

function show(gpus: GpuDevice[], probes: NodeInventory['probes'] = []): void {
  fixture.fleet.registry.changeInventory('node-a', { ...inventory('a', 0), gpus, probes });
}

beforeEach(async () => {
  fixture = await FleetFixture.open();
  fixture.join('a', 0, { gpus: devices() });
  work = await startRunning(fixture, { resources: smallAsked });
  expect(fixture.attemptOf(work).devices).toEqual(['a-gpu-0-mig-0']);
});

describe('a fault of the GPU', () => {
  test('takes its instances out, moves their work, and is told once', async () => {
    show(devices(undefined, 'a-gpu-0'));
    await pass(1000);
    expect(states()).toEqual(['quarantined', 'free', 'quarantined', 'quarantined']);
    expect(fixture.state(work)).toBe('stopping');
    expect(evicted()).toBe(
      'MIG instance 0 (1g.10gb) of GPU 0 of a is quarantined: Its GPU 0 is quarantined: Xid 79.',
    );
    const events = await fixture.fleet.events({ from: 0, subject: 'node-a', limit: 100 });
    expect(events.filter(({ type }) => type === 'gpu.quarantined').map(({ facts }) => facts['gpu'])).toEqual([
      'a-gpu-0',
    ]);
    const { health, healthReason, capacity } = fixture.fleet.nodeView(node());
    expect([health, healthReason, capacity.gpus]).toEqual(['degraded', 'GPU 0 is quarantined: Xid 79.', 1]);
  });

  test('keeps work from its instances until a person releases it; that of one of them is refused', async () => {
    show(devices(undefined, 'a-gpu-0'));
    await pass(1000);
    fixture.report(fixture.attemptOf(work), { state: 'killed', revision: 2 });
    await fixture.settle();
    expect(waitingMessage(fixture, work)).toContain('a has 1 MIG instance 1g.10gb, but it is quarantined');
    const { waiting } = fixture.fleet.questions.why(work, []);
    expect(waiting?.remedies.flatMap(({ commands }) => commands)).toContain(
      'clawbernetes gpu release a a-gpu-0',
    );
    expect(JSON.stringify(waiting?.remedies)).not.toContain('a-gpu-0-mig');
    expect(codeOf(() => fixture.fleet.gpuHealth.release(node(), 'a-gpu-0-mig-0'))).toBe('conflict');
    fixture.fleet.gpuHealth.release(node(), '0');
    await fixture.settle();
    expect(fixture.state(work)).toBe('reserved');
    expect(fixture.attemptOf(work).devices).toEqual(['a-gpu-0-mig-0']);
  });

  test('that is not certain moves nothing, and gives no new work to its instances', async () => {
    const read = (temperatureC: number): void =>
      fixture.fleet.gpuHealth.readings('node-a', [{ deviceId: 'a-gpu-0', temperatureC }]);
    for (const temperatureC of [96, 97, 98]) read(temperatureC);
    await pass(2000);
    expect(states()).toEqual(['quarantined', 'free', 'quarantined', 'quarantined']);
    expect([fixture.state(work), evicted()]).toEqual(['running', undefined]);
    const next = fixture.submit({ resources: { ...smallAsked, migProfile: '3g.40gb' } });
    await fixture.settle();
    expect(fixture.state(next)).toBe('queued');
    read(40);
    expect(states()).toEqual(['probation', 'free', 'probation', 'probation']);
    await pass(10 * MINUTE + 1000);
    expect(states()).toEqual(['free', 'free', 'in-use', 'reserved']);
  });
});

describe('a GPU that is gone', () => {
  test('takes its instances with it: their work is moved, and waits for others', async () => {
    show(devices(({ id }) => !id.startsWith('a-gpu-0')));
    await pass(1000);
    // The instance that nobody held is not missed.
    expect(states()).toEqual(['free', 'missing', 'missing']);
    expect(evicted()).toBe(
      'MIG instance 0 (1g.10gb) of GPU 0 of a is missing: Its node no longer shows it, nor the GPU of which it is a part.',
    );
    fixture.report(fixture.attemptOf(work), { state: 'killed', revision: 2 });
    await pass(2000);
    expect([states(), fixture.state(work)]).toEqual([['free', 'missing'], 'queued']);
    show(devices());
    expect(states()).toEqual(['probation', 'free', 'probation', 'probation']);
    await pass(10 * MINUTE + 1000);
    expect([states(), fixture.state(work)]).toEqual([['free', 'free', 'reserved', 'free'], 'reserved']);
  });

  test('is only missed where what looks for it does not answer: nothing is moved', async () => {
    const probes = [{ name: 'nvidia-mig', outcome: 'failed' as const, durationMs: 1 }];
    show(
      devices(({ parentId }) => parentId === undefined),
      probes,
    );
    await pass(2000);
    expect([states(), fixture.state(work)]).toEqual([['free', 'free', 'missing'], 'running']);
    show(devices());
    expect(states()).toEqual(['free', 'free', 'probation', 'free']);
    await pass(2000);
    expect(fixture.state(work)).toBe('running');
  });
});

test('a GPU that is cut up is none to who asks for whole ones', async () => {
  show(devices(({ id }) => id !== 'a-gpu-1'));
  const whole = fixture.submit({ resources: { gpus: 1 } });
  await fixture.settle();
  const { waiting } = fixture.fleet.questions.why(whole, []);
  expect(waiting?.obstacles.map(({ code }) => code)).toEqual(['gpu-count']);
  expect(waiting?.message).toContain(
    "no node has 1 × GPU; 1 of the fleet's GPUs is in MIG mode (--mig asks for instances).",
  );
});

describe('an instance that is gone', () => {
  test('takes its work off, also where agent and gateway were away meanwhile; nobody misses it afterwards', async () => {
    await fixture.settle();
    await fixture.crashAndReopen();
    fixture.join('a', 0, { gpus: devices(({ id }) => id !== 'a-gpu-0-mig-0') });
    await pass(1000);
    expect(states()).toEqual(['free', 'free', 'free', 'missing']);
    expect(fixture.state(work)).toBe('stopping');
    expect(evicted()).toBe(
      'MIG instance 0 (1g.10gb) of GPU 0 of a is missing: Its node no longer shows it: ' +
        'its GPU is cut up otherwise now, or not at all.',
    );
    const { queue, used } = fixture.fleet.queues.show('default');
    expect([queue, used.gpus]).toEqual(['default', 0.142]);
    fixture.report(fixture.attemptOf(work), { state: 'killed', revision: 2 });
    await pass(2000);
    expect([states(), fixture.state(work)]).toEqual([['free', 'free', 'free'], 'queued']);
    const events = await fixture.fleet.events({ from: 0, subject: 'node-a', limit: 100 });
    expect(events.map(({ type }) => type).filter((type) => type.startsWith('gpu.'))).toEqual([
      'gpu.missing',
      'gpu.forgotten',
    ]);
    show(devices());
    await fixture.settle();
    expect(fixture.state(work)).toBe('reserved');
  });

  test('counts in its queue as before until its work has ended, whatever a person forgets of it', async () => {
    show(devices(({ id }) => id !== 'a-gpu-0-mig-0'));
    fixture.fleet.gpuHealth.release(node(), 'a-gpu-0-mig-0');
    await fixture.settle();
    await fixture.crashAndReopen();
    expect(fixture.fleet.queues.show('default').used.gpus).toBe(0.142);
  });

  test('that nobody holds is not missed', async () => {
    show(devices(({ id }) => id !== 'a-gpu-0-mig-1'));
    await pass(1000);
    expect([states(), fixture.state(work)]).toEqual([['free', 'free', 'in-use'], 'running']);
  });
});

const fault = fc.constantFrom<GpuFault | undefined>(
  undefined,
  undefined,
  fell,
  { key: 'heat', kind: 'thermal', action: 'reset-gpu', message: 'Hot.' },
  { key: 'app', kind: 'xid', code: 31, action: 'restart-app', message: 'Xid 31.' },
);
const reportArbitrary = fc.record({
  whole: fault,
  own: fault,
  shows: fc.constantFrom('all', 'all', 'no GPU', 'no instance', 'nothing'),
  ms: fc.constantFrom(1000, 5 * MINUTE, 11 * MINUTE),
  release: fc.option(fc.constantFrom('0', 'a-gpu-0-mig-0', 'a-gpu-0-mig-1'), { nil: undefined }),
});

type Report = typeof reportArbitrary extends fc.Arbitrary<infer One> ? One : never;

function reported({ whole, own, shows }: Report) {
  return devices(({ id, parentId }) => {
    if (shows === 'all' || id === 'a-gpu-1') return true;
    return shows === 'no GPU' ? parentId !== undefined : shows === 'no instance' && parentId === undefined;
  }).map((gpu): GpuDevice => {
    const faults = [
      ...(whole && !gpu.id.startsWith('a-gpu-1') ? [whole] : []),
      ...(own && gpu.parentId !== undefined ? [own] : []),
    ];
    return faults.length > 0 ? { ...gpu, health: { state: 'unhealthy' }, faults } : gpu;
  });
}

test('is never fitter than its GPU, and no work stays where it is certainly broken', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(reportArbitrary, { minLength: 1, maxLength: 8 }), async (reports) => {
      fixture = await FleetFixture.open();
      fixture.join('a', 0, { gpus: devices() });
      work = await startRunning(fixture, { resources: smallAsked });
      for (const report of reports) {
        show(reported(report));
        await pass(report.ms);
        if (report.release !== undefined)
          codeOf(() => fixture.fleet.gpuHealth.release(node(), report.release ?? ''));
        await pass(1000);
        const { gpus } = fixture.fleet.nodeView(node());
        const broken = new Set(gpus.flatMap(({ id, condition }) => (condition ? id : [])));
        for (const { id, parentId } of gpus)
          if (parentId !== undefined && broken.has(parentId)) expect(broken).toContain(id);
        for (const { devices: gpuIds, evicted: moved } of fixture.fleet.liveAttempts('node-a'))
          for (const gpu of gpus)
            if (gpuIds.includes(gpu.id) && gpu.condition && isCertain(gpu.condition))
              expect(moved).toBeDefined();
        const held = new Set(fixture.fleet.liveAttempts('node-a').flatMap((attempt) => attempt.devices));
        for (const { device } of Object.values(node().gpuConditions ?? {}))
          if (device?.parentId !== undefined) expect(held).toContain(device.id);
        for (const attempt of fixture.fleet.liveAttempts('node-a'))
          if (attempt.evicted) fixture.report(attempt, { state: 'killed', revision: attempt.revision + 1 });
        await pass(2000);
      }
      await fixture.fleet[Symbol.asyncDispose]();
    }),
    { numRuns: 40 },
  );
}, 60_000);

function isCertain({ state, kind }: { readonly state: string; readonly kind: string }): boolean {
  return state !== 'probation' && (kind === 'xid' || kind === 'missing');
}
