// Shows what broken GPUs do to a node and its work: which are out of use, what is moved, and how they come
// back.
import { beforeEach, describe, expect, test } from 'vitest';
import type { GpuDevice, GpuFault } from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../../src/index.ts';
import { codeOf, FleetFixture, inventory } from './fleet-fixture.ts';
import { passTime, startRunning, waitingMessage, type Spec } from './running-work.ts';

const MINUTE = 60_000;

let fixture: FleetFixture;
beforeEach(async () => {
  fixture = await FleetFixture.open();
});

const node = (name: string): ReturnType<FleetFixture['fleet']['node']> => fixture.fleet.node(name);
const running = (spec: Spec = {}): Promise<WorkloadRecord> => startRunning(fixture, spec);
const pass = (ms: number, ...names: readonly string[]): Promise<void> => passTime(fixture, ms, names);
const whyWaiting = (workload: WorkloadRecord): string => waitingMessage(fixture, workload);

describe('faults of GPUs', () => {
  const xid = (code: number, action: GpuFault['action'], at = 1): GpuFault => ({
    ...{ key: `xid-${code}@${at}`, kind: 'xid', code, action, message: `Xid ${code}.` },
  });

  /** Reports the node's four GPUs, with faults by index; `missing` ones are left out. */
  function show(faults: Readonly<Record<number, GpuFault | 'missing'>>): void {
    const whole = inventory('a', 4);
    const gpus = whole.gpus.flatMap((gpu): GpuDevice[] => {
      const fault = faults[gpu.index];
      if (fault === 'missing') return [];
      return [
        fault ? { ...gpu, health: { state: 'unhealthy', reason: fault.message }, faults: [fault] } : gpu,
      ];
    });
    fixture.fleet.registry.changeInventory('node-a', { ...whole, gpus });
  }

  const states = (): string[] =>
    fixture.fleet.nodeView(node('a')).gpus.map(({ state, condition }) => condition?.state ?? state);

  test('a grave one takes the GPU out and moves its work; the others stay useful', async () => {
    fixture.join('a', 4);
    const workloads = [await running({ resources: { gpus: 1 } }), await running({ resources: { gpus: 1 } })];
    const [hit, spared] = workloads.toSorted((left, right) =>
      fixture.attemptOf(left).devices.join().localeCompare(fixture.attemptOf(right).devices.join()),
    );
    if (!hit || !spared) throw new Error('two workloads run');
    const [device = ''] = fixture.attemptOf(hit).devices;
    const index = Number(device.slice(-1));
    show({ [index]: xid(79, 'drain-reboot') });
    await pass(1000, 'a');
    expect([fixture.state(hit), fixture.state(spared)]).toEqual(['stopping', 'running']);
    expect(fixture.fleet.attemptViews(hit)[0]?.evicted).toMatchObject({ cause: 'health' });
    fixture.report(fixture.attemptOf(hit), { state: 'killed', revision: 2 });
    await fixture.settle();
    expect(fixture.attemptOf(hit).devices).not.toContain(device);
    const four = fixture.submit({ resources: { gpus: 4 } });
    await fixture.settle();
    expect(whyWaiting(four)).toContain('a has 4 GPUs, but 1 of them is quarantined');
    expect(fixture.fleet.nodeView(node('a'))).toMatchObject({ health: 'degraded', capacity: { gpus: 3 } });
  });

  test('one that asks for a new start of the program leaves GPU and work alone, and is told once', async () => {
    const id = fixture.join('a', 4);
    const workload = await running({ resources: { gpus: 4 } });
    show({ 1: xid(31, 'restart-app') });
    show({ 1: xid(31, 'restart-app'), 2: xid(13, 'restart-app') });
    await pass(2000, 'a');
    expect(fixture.state(workload)).toBe('running');
    const events = await fixture.fleet.events({ from: 0, subject: id, limit: 100 });
    expect(events.filter(({ type }) => type === 'gpu.fault').map(({ facts }) => facts['gpu'])).toEqual([
      'a-gpu-1',
      'a-gpu-2',
    ]);
  });

  test('without faults it is on probation, and back after it; a new fault begins anew', async () => {
    const id = fixture.join('a', 4);
    show({ 0: xid(48, 'reset-gpu') });
    show({});
    expect(states()).toEqual(['probation', 'free', 'free', 'free']);
    await pass(9 * MINUTE, 'a');
    show({ 0: xid(48, 'reset-gpu', 2) });
    expect(states()[0]).toBe('quarantined');
    show({});
    await fixture.settle();
    await fixture.crashAndReopen();
    fixture.connect('node-a');
    await pass(10 * MINUTE - 1000, 'a');
    expect(states()[0]).toBe('probation');
    await pass(2000, 'a');
    expect(states()[0]).toBe('free');
    const events = await fixture.fleet.events({ from: 0, subject: id, limit: 100 });
    expect(events.map(({ type }) => type).filter((type) => type.startsWith('gpu.'))).toEqual([
      'gpu.quarantined',
      'gpu.probation',
      'gpu.quarantined',
      'gpu.probation',
      'gpu.healthy',
    ]);
  });

  test('a person may release it: the same fault no longer counts, another does', () => {
    fixture.join('a', 4);
    show({ 3: xid(79, 'drain-reboot') });
    fixture.fleet.gpuHealth.release(node('a'), '3');
    show({ 2: 'missing', 3: xid(79, 'drain-reboot') });
    expect(states()).toEqual(['free', 'free', 'free', 'missing']);
    show({ 2: 'missing', 3: xid(79, 'drain-reboot', 2) });
    expect(states()).toEqual(['free', 'free', 'quarantined', 'missing']);
    fixture.fleet.gpuHealth.release(node('a'), 'a-gpu-2');
    expect(states()).toEqual(['free', 'free', 'quarantined']);
    expect(codeOf(() => fixture.fleet.gpuHealth.release(node('a'), '0'))).toBe('conflict');
    expect(codeOf(() => fixture.fleet.gpuHealth.release(node('a'), '9'))).toBe('not-found');
  });

  test('slices of a GPU come and go as they are configured', () => {
    const [whole] = inventory('a', 1).gpus;
    if (!whole) throw new Error('a GPU');
    const slice = { ...whole, id: 'a-slice', parentId: whole.id, migProfile: '1g.10gb' };
    fixture.join('a', 1, { gpus: [whole, slice] });
    fixture.fleet.registry.changeInventory('node-a', inventory('a', 1));
    expect(states()).toEqual(['free']);
  });

  test('heat that stays takes it out, and its end leads to probation', () => {
    fixture.join('a', 4);
    const read = (temperatureC: number): void =>
      fixture.fleet.gpuHealth.readings('node-a', [{ deviceId: 'a-gpu-1', temperatureC }]);
    for (const temperatureC of [96, 97, 80, 96, 97]) read(temperatureC);
    expect(states()[1]).toBe('free');
    read(98);
    expect(states()[1]).toBe('quarantined');
    // Another GPU's reading, or one without a temperature, says nothing of this one.
    fixture.fleet.gpuHealth.readings('node-a', [{ deviceId: 'a-gpu-2', temperatureC: 40 }]);
    fixture.fleet.gpuHealth.readings('node-a', [{ deviceId: 'a-gpu-1' }]);
    expect(states()[1]).toBe('quarantined');
    read(90);
    expect(states()[1]).toBe('quarantined');
    read(85);
    expect(states()[1]).toBe('probation');
  });

  test('memory that is not back after its work keeps a GPU from the next; in the end it is quarantined', async () => {
    const real = inventory('a', 2);
    const gpus = real.gpus.map((gpu) => ({ ...gpu, simulated: false }));
    fixture.join('a', 2, { gpus });
    const read = (memoryUsedMib: number): void =>
      fixture.fleet.gpuHealth.readings('node-a', [{ deviceId: 'a-gpu-0', memoryUsedMib }]);
    read(400);
    const first = await running({ resources: { gpus: 2 } });
    read(70_000);
    expect(states()).toEqual(['in-use', 'in-use']);
    fixture.report(fixture.attemptOf(first), { state: 'exited', revision: 2, exitCode: 0 });
    expect(states()).toEqual(['free', 'free']);
    read(60_000);
    expect(states()).toEqual(['cleaning', 'free']);
    const next = fixture.submit({ resources: { gpus: 2 } });
    await fixture.settle();
    expect(fixture.state(next)).toBe('queued');
    read(900);
    await fixture.settle();
    expect(states()).toEqual(['reserved', 'reserved']);
    fixture.report(fixture.attemptOf(next), { state: 'running', revision: 1 });
    read(70_000);
    fixture.report(fixture.attemptOf(next), { state: 'exited', revision: 2, exitCode: 0 });
    for (let minute = 0; minute <= 10; minute += 1) {
      read(60_000);
      await pass(MINUTE, 'a');
    }
    expect(states()).toEqual(['quarantined', 'free']);
    read(400);
    expect(states()).toEqual(['probation', 'free']);
  });

  test('the memory of a simulated GPU says nothing, nor what a foreign program holds where no work was', async () => {
    fixture.join('a', 1);
    const done = await running({ resources: { gpus: 1 } });
    const read = (name: string, memoryUsedMib: number): void =>
      fixture.fleet.gpuHealth.readings(`node-${name}`, [{ deviceId: `${name}-gpu-0`, memoryUsedMib }]);
    read('a', 60_000);
    fixture.report(fixture.attemptOf(done), { state: 'exited', revision: 2, exitCode: 0 });
    const real = inventory('b', 1);
    fixture.join('b', 1, { gpus: real.gpus.map((gpu) => ({ ...gpu, simulated: false })) });
    for (const name of ['a', 'b']) {
      read(name, 50_000);
      expect(fixture.fleet.nodeView(node(name)).gpus.map(({ state }) => state)).toEqual(['free']);
    }
  });

  test('an agent that starts anew with fewer GPUs misses real ones; simulated ones are as it was told', () => {
    for (const [name, simulated] of [
      ['a', false],
      ['b', true],
    ] as const) {
      const gpus = inventory(name, 2).gpus.map((gpu) => ({ ...gpu, simulated }));
      fixture.join(name, 2, { gpus });
      fixture.join(name, 1, { gpus: gpus.slice(0, 1) });
    }
    const shown = (name: string): string[] =>
      fixture.fleet.nodeView(node(name)).gpus.map(({ state }) => state);
    expect([shown('a'), shown('b')]).toEqual([['free', 'missing'], ['free']]);
  });

  test('nothing is moved while the gateway suspects itself', async () => {
    const ids = ['b', 'c', 'd', 'e'].map((name) => fixture.join(name));
    fixture.join('a', 4);
    const workload = await running({ resources: { gpus: 4 } });
    await pass(40_000, 'a');
    expect(fixture.fleet.freeze).toMatchObject({ silent: 4, of: 5 });
    show({ 1: xid(79, 'drain-reboot') });
    await pass(10_000, 'a');
    expect(fixture.state(workload)).toBe('running');
    for (const id of ids) fixture.connect(id);
    await pass(1000, 'a');
    expect(fixture.state(workload)).toBe('stopping');
  });
});
