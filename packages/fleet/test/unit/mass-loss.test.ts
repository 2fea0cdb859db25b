// Shows when the loss of nodes is held for our own fault: nothing is given up then until most are back or
// somebody says that they are gone.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MassLossGuard } from '../../src/node/mass-loss-guard.ts';
import { FleetFixture } from './fleet-fixture.ts';

const SECOND = 1000;

/** All of them heartbeat every 10 s but those of `silent`. */
async function run(
  fixture: FleetFixture,
  ids: readonly string[],
  silent: ReadonlySet<string>,
  ms: number,
): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10 * SECOND) {
    for (const id of ids) if (!silent.has(id)) fixture.fleet.registry.heard(id);
    await fixture.settle(10 * SECOND);
  }
}

async function fleetOf(nodes: number): Promise<{ fixture: FleetFixture; ids: string[] }> {
  const fixture = await FleetFixture.open();
  const ids = Array.from({ length: nodes }, (_, index) => fixture.join(`n${index}`));
  await fixture.settle();
  return { fixture, ids };
}

function connectivity(fixture: FleetFixture, id: string): string {
  return fixture.fleet.nodeView(fixture.fleet.node(id)).connectivity;
}

test('more than three, and more than a fifth: then nothing is lost, and with fewer it is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 40 }),
      async (nodes, gone) => {
        const { fixture, ids } = await fleetOf(nodes);
        const silent = new Set(ids.slice(0, Math.min(gone, nodes)));
        await run(fixture, ids, silent, 600 * SECOND);
        const mass = silent.size > Math.max(3, nodes / 5);
        expect(fixture.fleet.freeze !== undefined).toBe(mass);
        for (const id of ids)
          expect(connectivity(fixture, id)).toBe(
            silent.has(id) ? (mass ? 'disconnected' : 'lost') : 'connected',
          );
        const events = await fixture.fleet.events({ from: 0, limit: 100, subject: 'fleet' });
        expect(events.map(({ type }) => type)).toEqual(mass ? ['fleet.frozen'] : []);
      },
    ),
    { numRuns: 60 },
  );
});

test('it thaws when most are back; the rest gets a lease more before it is lost', async () => {
  const { fixture, ids } = await fleetOf(10);
  await run(fixture, ids, new Set(ids.slice(0, 6)), 400 * SECOND);
  expect(fixture.fleet.freeze).toMatchObject({ silent: 6, of: 10 });
  for (const id of ids.slice(3, 6)) fixture.connect(id);
  expect(fixture.fleet.freeze).toBeUndefined();
  await run(fixture, ids, new Set(ids.slice(0, 3)), 20 * SECOND);
  expect(connectivity(fixture, ids[0] ?? '')).toBe('disconnected');
  await run(fixture, ids, new Set(ids.slice(0, 3)), 20 * SECOND);
  expect(connectivity(fixture, ids[0] ?? '')).toBe('lost');
  const events = await fixture.fleet.events({ from: 0, limit: 100, subject: 'fleet' });
  expect(events.map(({ type, cause }) => [type, cause])).toEqual([
    ['fleet.frozen', 'system'],
    ['fleet.thawed', 'system'],
  ]);
});

test('somebody may say that they are gone; then they are lost at once, and the event says who', async () => {
  const { fixture, ids } = await fleetOf(8);
  const silent = new Set(ids.slice(0, 5));
  await run(fixture, ids, silent, 400 * SECOND);
  expect(fixture.fleet.registry.thaw()).toBe(5);
  await fixture.settle(2 * SECOND);
  expect(connectivity(fixture, ids[0] ?? '')).toBe('lost');
  expect(fixture.fleet.freeze).toBeUndefined();
  expect(fixture.fleet.registry.thaw()).toBe(0);
  const events = await fixture.fleet.events({ from: 0, limit: 100, subject: 'fleet' });
  expect(events.at(-1)).toMatchObject({ type: 'fleet.thawed', cause: 'user' });
});

test('nodes that were gone before the gateway started are no mass loss', async () => {
  const { fixture, ids } = await fleetOf(20);
  const silent = new Set<string>();
  // Two at a time, so that no window sees many.
  for (let index = 0; index < 8; index += 2) {
    silent.add(ids[index] ?? '').add(ids[index + 1] ?? '');
    await run(fixture, ids, silent, 70 * SECOND);
  }
  expect(fixture.fleet.freeze).toBeUndefined();
  await fixture.crashAndReopen();
  for (const id of ids) if (!silent.has(id)) fixture.connect(id);
  await run(fixture, ids, silent, 400 * SECOND);
  expect(fixture.fleet.freeze).toBeUndefined();
  expect(connectivity(fixture, ids[0] ?? '')).toBe('lost');
});

test('a gateway that comes back alone suspects itself', async () => {
  const { fixture, ids } = await fleetOf(20);
  await fixture.crashAndReopen();
  await run(fixture, ids, new Set(ids), 400 * SECOND);
  expect(fixture.fleet.freeze).toMatchObject({ silent: 20, of: 20 });
});

test('a loss spread over time is a loss', () => {
  const guard = new MassLossGuard({ windowMs: 30_000 });
  for (let index = 0; index < 50; index += 1) {
    const at = { nowMs: 0, monotonicMs: index * 15_000 };
    expect(guard.silent(`n${index}`, 99 - index, at)).toBeUndefined();
  }
});

/** 10,000 is the limit of nodes of a fleet. */
test('10,000 nodes that fall silent, each at a moment of its own: suspect within 20 s, lease acted on within 31 s', async () => {
  const fixture = await FleetFixture.open();
  const ids: string[] = [];
  for (let batch = 0; batch < 50; batch += 1) {
    for (let index = 0; index < 200; index += 1) ids.push(fixture.join(`n${batch}-${index}`));
    await fixture.settle();
  }
  const lastHeard = new Map<string, number>();
  for (let part = 0; part < 50; part += 1) {
    for (const id of ids.slice(part * 200, (part + 1) * 200)) {
      fixture.fleet.registry.heard(id);
      lastHeard.set(id, fixture.clock.monotonicMs());
    }
    await fixture.settle(197);
  }
  const worst = { suspect: 0, disconnected: 0 };
  const acted = new Set<string>();
  fixture.fleet.onEvents((events) => {
    for (const { type, subject } of events) {
      const state = type === 'node.suspect' ? 'suspect' : 'disconnected';
      if (type !== `node.${state}`) continue;
      acted.add(`${state} ${subject}`);
      worst[state] = Math.max(worst[state], fixture.clock.monotonicMs() - (lastHeard.get(subject) ?? 0));
    }
  });
  await fixture.settle(45_000);
  expect(acted.size).toBe(20_000);
  expect(worst.suspect).toBeLessThanOrEqual(20_000);
  expect(worst.disconnected).toBeLessThanOrEqual(31_000);
  expect(fixture.fleet.freeze).toMatchObject({ silent: 10_000, of: 10_000 });
});
