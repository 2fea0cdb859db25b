// Shows what the fleet answers to why and to what if: that it names what is true of it, that what it
// foretells comes about, and that asking changes nothing.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  workloadSpecSchema,
  type EventView,
  type WhatIf,
  type WhyView,
  type WorkloadSpecInput,
} from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../../src/index.ts';
import { codeOf, FleetFixture } from './fleet-fixture.ts';

const gpus = (count: number, more: Partial<WorkloadSpecInput> = {}): Partial<WorkloadSpecInput> => ({
  resources: { gpus: count },
  ...more,
});

async function eventsOf({ fleet }: FleetFixture, { id }: WorkloadRecord): Promise<EventView[]> {
  await fleet.durable();
  return fleet.events({ from: 0, subject: id, limit: 200, newest: true });
}

async function why(fixture: FleetFixture, workload: WorkloadRecord): Promise<WhyView> {
  return fixture.fleet.questions.why(workload, await eventsOf(fixture, workload));
}

interface Supposed {
  readonly spec?: Partial<WorkloadSpecInput>;
  readonly count?: number;
  readonly drain?: readonly string[];
  readonly without?: readonly WorkloadRecord[];
}

function whatIf({ fleet }: FleetFixture, { spec, count = 1, drain = [], without = [] }: Supposed): WhatIf {
  return fleet.questions.whatIf({
    namespace: 'default',
    ...(spec ? { spec: workloadSpecSchema.parse({ command: ['true'], ...spec }) } : {}),
    count,
    drained: drain.map((name) => fleet.node(name)),
    ended: without,
  });
}

describe('why', () => {
  test('a waiting one: counts, the nearest node, a remedy that starts it, and an end that is declared', async () => {
    const fixture = await FleetFixture.open();
    for (const [name, count] of [
      ['a', 4],
      ['b', 4],
      ['c', 2],
    ] as const)
      fixture.join(name, count);
    const long = fixture.submit(gpus(3, { name: 'long', nodeSelector: { node: 'a' } }));
    const brief = fixture.submit(gpus(2, { name: 'brief', nodeSelector: { node: 'b' }, timeoutMs: 60_000 }));
    await fixture.settle();
    fixture.report(fixture.attemptOf(brief), {
      state: 'running',
      revision: 1,
      startedAtMs: fixture.clock.nowMs(),
    });
    const waits = fixture.submit(gpus(4, { name: 'waits' }));
    await fixture.settle();
    const { waiting, message } = await why(fixture, waits);
    expect(waiting).toMatchObject({
      reason: 'waiting-for-capacity',
      nodes: 3,
      ahead: 0,
      obstacles: [
        { code: 'gpus-in-use', nodes: 2, message: '2 have too few free GPUs' },
        { code: 'gpu-count', nodes: 1, message: '1 has fewer than 4 GPUs' },
      ],
      nearest: { node: 'b', message: 'b has only 2 of the 4 GPUs it needs free.' },
      start: { estimate: 'range' },
    });
    const startedAtMs = fixture.attemptOf(brief).startedAtMs!;
    expect(waiting?.start).toMatchObject({ fromMs: startedAtMs + 60_000, toMs: startedAtMs + 70_000 });
    expect(waiting?.remedies[0]).toMatchObject({
      message: 'Wait for brief on b to end.',
      certain: true,
      steps: [{ step: 'wait', node: 'b', until: [{ workload: brief.id, endsAtMs: startedAtMs + 60_000 }] }],
    });
    expect(waiting?.remedies.flatMap(({ steps }) => steps.map(({ step }) => step))).toContain('ask-gpus');
    expect(message).toContain('Of 3 nodes: 2 have too few free GPUs, 1 has fewer than 4 GPUs.');
    fixture.report(fixture.attemptOf(brief), { state: 'exited', exitCode: 0, revision: 2 });
    await fixture.settle();
    expect(fixture.state(waits)).toBe('reserved');
    expect(fixture.state(long)).toBe('reserved');
  });

  test('one that waits behind others says so, and that an end which they would use is not certain', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('a', 2);
    const holder = fixture.submit(gpus(2, { name: 'holder' }));
    await fixture.settle();
    fixture.submit(gpus(2, { name: 'first' }));
    await fixture.settle(100);
    const second = fixture.submit(gpus(1, { name: 'second' }));
    await fixture.settle();
    const { waiting } = await why(fixture, second);
    expect(waiting).toMatchObject({
      ahead: 1,
      remedies: [{ certain: false }],
      start: { estimate: 'unknown' },
    });
    expect(waiting?.start.message).toContain('holder on a has none');
    fixture.report(fixture.attemptOf(holder), { state: 'exited', exitCode: 0, revision: 1 });
    await fixture.settle();
    expect(fixture.state(second)).toBe('queued');
  });

  test('a cordoned node is the remedy, with the command that does it', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('a', 1);
    fixture.join('gpu-07', 4);
    fixture.fleet.administration.cordon(fixture.fleet.node('gpu-07'));
    const waits = fixture.submit(gpus(2));
    await fixture.settle();
    const { waiting } = await why(fixture, waits);
    expect(waiting).toMatchObject({ reason: 'no-nodes', nearest: { node: 'gpu-07' } });
    expect(waiting?.remedies[0]).toMatchObject({
      steps: [{ step: 'uncordon', node: 'gpu-07' }],
      commands: ['clawbernetes node uncordon gpu-07'],
      certain: true,
    });
    fixture.fleet.administration.uncordon(fixture.fleet.node('gpu-07'));
    await fixture.settle();
    expect(fixture.state(waits)).toBe('reserved');
  });

  test('a placed one: how many had room, what was second, why the others had none; over a restart', async () => {
    const fixture = await FleetFixture.open();
    for (const [name, count] of [
      ['a', 4],
      ['b', 8],
      ['c', 0],
      ['d', 4],
    ] as const)
      fixture.join(name, count);
    fixture.fleet.administration.cordon(fixture.fleet.node('d'));
    const placed = fixture.submit(gpus(4));
    await fixture.settle();
    const told = await why(fixture, placed);
    expect(told.placement).toMatchObject({
      nodes: 4,
      candidates: 2,
      others: [
        { code: 'gpu-count', nodes: 1, message: '1 has fewer than 4 GPUs' },
        { code: 'cordoned', nodes: 1, message: '1 is cordoned' },
      ],
    });
    const { node, cost, runnerUp } = told.placement!;
    expect(new Set([node, runnerUp?.node])).toEqual(new Set(['a', 'b']));
    expect(runnerUp!.cost).toBeGreaterThanOrEqual(cost!);
    expect(told.waiting).toBeUndefined();
    await fixture.crashAndReopen();
    expect((await why(fixture, fixture.fleet.workload('default', placed.id))).placement).toEqual(
      told.placement,
    );
  });

  test('one that was taken off its node: the chain of causes', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('a', 1);
    const moved = fixture.submit(gpus(1, { name: 'moved' }));
    await fixture.settle();
    fixture.report(fixture.attemptOf(moved), { state: 'running', revision: 1 });
    fixture.fleet.administration.drain(fixture.fleet.node('a'), { deadlineMs: 0 });
    await fixture.settle(2000);
    const stopping = await why(fixture, moved);
    expect(stopping.message).toMatch(/^moved is stopping. moved is taken off its node: /);
    fixture.report(fixture.attemptOf(moved), { state: 'killed', revision: 2 });
    await fixture.settle();
    const told = await why(fixture, moved);
    const types = told.chain.map(({ type }) => type);
    expect(types.indexOf('attempt.placed')).toBeLessThan(types.indexOf('attempt.evicted'));
    expect(types.indexOf('attempt.evicted')).toBeLessThan(types.lastIndexOf('workload.queued'));
    expect(told).toMatchObject({ state: 'queued', waiting: { reason: 'no-nodes' } });
    fixture.fleet.intake.stop(moved, false);
    await fixture.settle();
    expect((await why(fixture, moved)).message).toMatch(/^moved cancelled/);
  });
});

describe('what if', () => {
  test('more work: what would start where, and why the rest would wait', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('a', 4);
    fixture.join('b', 2);
    const told = whatIf(fixture, { spec: gpus(2), count: 4 });
    expect(told.starts.map(({ node }) => node).toSorted()).toEqual(['a', 'a', 'b']);
    expect(new Set(told.starts.flatMap(({ devices }) => devices)).size).toBe(6);
    expect(told).toMatchObject({ waits: 1, waiting: { reason: 'waiting-for-capacity' } });
    expect(told.message).toMatch(/^3 of 4 would start now, on /);
    expect(whatIf(fixture, { spec: gpus(5) })).toMatchObject({ waits: 1, waiting: { reason: 'never-fits' } });
    const gang = { members: 2, topology: { level: 'numa' as const } };
    const together = whatIf(fixture, { spec: { ...gpus(1), gang }, count: 3 });
    expect(together.starts.map(({ node }) => node)).toEqual(['a', 'a', 'a', 'a']);
    expect(together).toMatchObject({ waits: 1, waiting: { reason: 'topology' } });
    expect(codeOf(() => whatIf(fixture, { spec: { ...gpus(0), gang } }))).toBe('not-supported');
  });

  test('without a node: what would move where, and what would wait or end', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('a', 4);
    for (const name of ['one', 'two', 'stays'])
      fixture.submit(
        gpus(1, { name, ...(name === 'stays' ? { reschedule: { evicted: 'end', attempts: 0 } } : {}) }),
      );
    await fixture.settle();
    fixture.join('b', 1);
    const told = whatIf(fixture, { drain: ['a'] });
    expect(told.moves).toMatchObject([{ name: 'one', from: 'a', node: 'b' }]);
    expect(told.stranded.map(({ name }) => name).toSorted()).toEqual(['stays', 'two']);
    expect(told.stranded.find(({ name }) => name === 'stays')?.message).toContain('would end');
    expect(told.message).toMatch(/^Without a: 1 workload would move \(one to b\)/);
  });

  test('without a workload: what waits would start, and it does', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('a', 2);
    const holder = fixture.submit(gpus(2, { name: 'holder' }));
    await fixture.settle();
    const waits = fixture.submit(gpus(2, { name: 'waits' }));
    await fixture.settle();
    const told = whatIf(fixture, { without: [holder] });
    expect(told.unblocked).toMatchObject([{ workload: waits.id, node: 'a' }]);
    expect(told.message).toBe('Once holder has ended, 1 waiting workload would start: waits on a.');
    expect(whatIf(fixture, { spec: gpus(1), without: [holder] })).toMatchObject({ waits: 1 });
    fixture.report(fixture.attemptOf(holder), { state: 'exited', exitCode: 0, revision: 1 });
    await fixture.settle();
    expect(fixture.fleet.workloadView(waits)).toMatchObject({
      attempt: { devices: told.unblocked[0]?.devices },
    });
  });

  test('it starts exactly if it was foretold, and a fleet that was asked decides as one that was not', async () => {
    const step = fc.record({
      gpus: fc.integer({ min: 0, max: 4 }),
      cores: fc.integer({ min: 1, max: 5 }),
      drain: fc.nat(9).map((roll) => roll === 0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 8 }), async (steps) => {
        const [asked, silent] = [await FleetFixture.open(), await FleetFixture.open()];
        for (const fixture of [asked, silent]) for (const name of ['a', 'b', 'c']) fixture.join(name, 4);
        await asked.settle();
        await silent.settle();
        for (const [index, { gpus: count, cores, drain }] of steps.entries()) {
          const spec = { name: `w${index}`, resources: { gpus: count, cpuMilli: cores * 1000 } };
          const before = asked.fleet.eventSequence;
          const told = whatIf(asked, { spec });
          const [running] = asked.fleet.workloads('default');
          whatIf(asked, { drain: ['b'], ...(running ? { without: [running] } : {}) });
          expect(asked.fleet.eventSequence).toBe(before);
          for (const fixture of [asked, silent]) {
            fixture.submit(spec);
            await fixture.settle();
            if (drain) fixture.fleet.administration.cordon(fixture.fleet.node('c'));
            await fixture.settle();
          }
          const [mine, other] = [asked, silent].map(({ fleet }) =>
            fleet.workloadView(fleet.workload('default', `w${index}`)),
          );
          // Which of several nodes costs least is learnt from arrivals, this one included.
          expect(mine?.attempt !== undefined).toBe(told.starts.length === 1);
          expect(told.waits).toBe(1 - told.starts.length);
          expect([other?.attempt?.nodeName, other?.attempt?.devices]).toEqual([
            mine?.attempt?.nodeName,
            mine?.attempt?.devices,
          ]);
        }
        await asked.fleet[Symbol.asyncDispose]();
        await silent.fleet[Symbol.asyncDispose]();
      }),
      { numRuns: 50 },
    );
  });
});
