// Shows that no workload waits while a node could take it, and that the reason it is given is true: compared,
// after every change of a random history, with a search of its own over all nodes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeView, WorkloadView } from '@clawbernetes/protocol';
import { FleetFixture, inventory } from './fleet-fixture.ts';

const NODES = ['a', 'b', 'c'];
const nodeArbitrary = fc.constantFrom(...NODES);
const changeArbitrary = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('submit'), gpus: fc.nat(5), cores: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end'), pick: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop'), pick: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('silence'), node: nodeArbitrary }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hear'), node: nodeArbitrary }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain'), node: nodeArbitrary }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('undrain'), node: nodeArbitrary }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('hardware'), node: nodeArbitrary, gpus: fc.nat(5) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget'), node: nodeArbitrary }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart') }) },
);
type Change = typeof changeArbitrary extends fc.Arbitrary<infer One> ? One : never;

const views = ({ fleet }: FleetFixture): WorkloadView[] =>
  fleet.workloads('default').map((workload) => fleet.workloadView(workload));

async function apply(fixture: FleetFixture, change: Change): Promise<void> {
  const { fleet } = fixture;
  const node = 'node' in change ? fleet.findNode(`node-${change.node}`) : undefined;
  const pick = <T>(items: readonly T[]): T | undefined =>
    'pick' in change ? items[change.pick % Math.max(1, items.length)] : undefined;
  if ('cores' in change)
    fixture.submit({ resources: { gpus: change.gpus, cpuMilli: Math.max(100, change.cores * 1000) } });
  else if (change.kind === 'end') {
    const live = pick(fleet.nodes().flatMap(({ id }) => fleet.liveAttempts(id)));
    if (live) fixture.report(live, { state: 'exited', exitCode: 0, revision: live.revision + 1 });
  } else if (change.kind === 'stop') {
    const queued = pick(fleet.workloads('default').filter(({ state }) => state === 'queued'));
    if (queued) fleet.intake.stop(queued, false);
  } else if (change.kind === 'restart') await fixture.crashAndReopen(options);
  else if (node && change.kind === 'forget') {
    for (const live of fleet.liveAttempts(node.id)) fixture.report(live, { state: 'running', revision: 1 });
    fleet.reports.repair(node.id, []);
  } else if (node && change.kind === 'silence') fleet.registry.disconnected(node.id);
  else if (node && change.kind === 'hear') fixture.connect(node.id);
  else if (node && change.kind === 'drain') fleet.administration.drain(node);
  else if (node && change.kind === 'undrain') fleet.administration.uncordon(node);
  else if (node && 'gpus' in change)
    fleet.registry.changeInventory(node.id, inventory(node.name, change.gpus));
  await fixture.settle();
}

const ready = (node: NodeView): boolean =>
  node.connectivity === 'connected' && node.eligibility === 'schedulable';

/** Whether the node offers what the workload asks for: now, or when nothing else runs there. */
function holds({ spec }: WorkloadView, { cpuMilli, memoryMib, gpus }: NodeView['free']): boolean {
  const { resources } = spec;
  return resources.gpus <= gpus && (resources.cpuMilli ?? 100) <= cpuMilli && memoryMib >= 64;
}

function expectedReason(workload: WorkloadView, nodes: readonly NodeView[]): string {
  const able = nodes.filter((node) => holds(workload, node.capacity));
  if (able.length === 0) return 'never-fits';
  return able.some(ready) ? 'waiting-for-capacity' : 'no-nodes';
}

// So few in a turn that one change takes several.
const options = { placementsPerTurn: 2 };

describe('whatever happened, a workload that waits', () => {
  test('fits on no node now, and says why', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(changeArbitrary, { minLength: 5, maxLength: 40 }), async (changes) => {
        const fixture = await FleetFixture.open(options);
        for (const [index, name] of NODES.entries()) fixture.join(name, index * 2);
        await fixture.settle();
        for (const change of changes) {
          await apply(fixture, change);
          const nodes = fixture.fleet.nodes().map((node) => fixture.fleet.nodeView(node));
          for (const workload of views(fixture).filter(({ state }) => state === 'queued')) {
            expect(nodes.some((node) => ready(node) && holds(workload, node.free))).toBe(false);
            expect(workload.waiting?.reason).toBe(expectedReason(workload, nodes));
            expect(workload.waiting?.message).not.toMatch(/undefined|NaN/);
          }
        }
        await fixture.fleet[Symbol.asyncDispose]();
      }),
      { numRuns: 150 },
    );
  });
});

test('what becomes free is given out whole, though one turn places only some', async () => {
  const fixture = await FleetFixture.open(options);
  const node = fixture.fleet.node(fixture.join('a'));
  fixture.fleet.administration.drain(node);
  for (let count = 0; count < 5; count += 1) fixture.submit();
  await fixture.settle();
  expect(views(fixture).every(({ state }) => state === 'queued')).toBe(true);
  fixture.fleet.administration.uncordon(fixture.fleet.node('a'));
  await fixture.settle();
  expect(views(fixture).map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => 'reserved'));
});

describe('the reason is about the fleet as it is when one asks', () => {
  const message = (fixture: FleetFixture): string | undefined => views(fixture).at(-1)?.waiting?.message;

  test('what others took meanwhile, and who fell silent', async () => {
    const fixture = await FleetFixture.open();
    const node = fixture.join('a', 4);
    fixture.submit({ resources: { gpus: 1 } });
    await fixture.settle();
    fixture.submit({ resources: { gpus: 4 } });
    await fixture.settle();
    expect(message(fixture)).toContain('the most free are 3 on a');
    const small = fixture.fleet.intake.submit({
      namespace: 'default',
      spec: { ...views(fixture)[0]!.spec, name: 'small' },
    });
    await fixture.settle();
    expect(fixture.state(small)).toBe('reserved');
    const waits = fixture.fleet.workloads('default').find(({ state }) => state === 'queued')!;
    expect(fixture.fleet.workloadView(waits).waiting?.message).toContain('the most free are 2 on a');
    fixture.fleet.registry.disconnected(node);
    expect(fixture.fleet.workloadView(waits).waiting).toMatchObject({
      reason: 'no-nodes',
      message: expect.stringContaining(
        'a is suspect. It starts when that node is connected again.',
      ) as string,
    });
  });

  test('a drained node is named with the command that helps', async () => {
    const fixture = await FleetFixture.open();
    fixture.fleet.administration.drain(fixture.fleet.node(fixture.join('a')));
    fixture.submit();
    await fixture.settle();
    expect(message(fixture)).toContain('a is drained. It starts after: clawbernetes node undrain a');
  });

  test('a fleet whose only node waits for approval says so', async () => {
    const fixture = await FleetFixture.open();
    fixture.join('a', 0, {}, false);
    fixture.submit();
    await fixture.settle();
    expect(message(fixture)).toContain('a must be approved first');
  });

  test.each([
    [{ resources: { cpuMilli: 64_000 } }, 'no node has 64 CPUs; the largest has 8 (a)'],
    [{ resources: { memoryMib: 65_536 } }, 'no node has 64.0 GiB of memory; the largest has 16.0 GiB'],
    [{ resources: { gpus: 3 } }, 'no node has 3 × GPU; the most in working order are 2 (a)'],
    [{ resources: { gpus: 1, gpuModels: ['A100'] } }, 'no node has 1 × A100. Ask for less'],
    [{ nodeSelector: { node: 'b' } }, 'no node is called b'],
    [{ nodeSelector: { rack: '7' } }, 'no node has the labels rack=7'],
    [{ image: 'busybox' }, 'no node has a container engine. Start Docker or Podman on one.'],
  ])('%j can never fit: %s', async (spec, expected) => {
    const fixture = await FleetFixture.open();
    fixture.join('a', 2);
    fixture.submit(spec);
    await fixture.settle();
    expect(views(fixture)[0]?.waiting).toMatchObject({
      reason: 'never-fits',
      message: expect.stringContaining(expected) as string,
    });
  });
});
