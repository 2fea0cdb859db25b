// Shows what of reservations may be found after a crash: what was stored or under way, and nothing else.
import { expect, test } from 'vitest';
import { ReservationRows, type ReservationVersion, type ShownReservation } from './reservation-rows.ts';

const TERMS = { startMs: 10, endMs: 20, queues: ['a'] };
const EPOCH = { term: 1, counter: 1 };

class World {
  readonly violations: string[] = [];
  readonly rows = new ReservationRows({
    violate: (what) => this.violations.push(what),
    nodeName: (id) => `node-${id}`,
  });

  /** A batch in which it is made, or changes so that it holds this. */
  stores(change: string, held: Readonly<Record<string, readonly string[]>>): ReservationVersion {
    const capacity = Object.entries(held).map(([nodeId, devices]) => ({ nodeId, devices }));
    const data = JSON.stringify({ ...TERMS, epoch: EPOCH, held: capacity });
    const version = this.rows.stored({ name: 'r', data });
    this.rows.told(change, 'r');
    this.rows.batchEnded();
    return version;
  }

  deletes(): ReservationVersion {
    const version = this.rows.deleted('r');
    this.rows.told('deleted', 'r');
    this.rows.batchEnded();
    return version;
  }

  /** Whether a new gateway may find it so, or not at all. */
  mayFind(held: Readonly<Record<string, readonly string[]>> | undefined): boolean {
    const before = this.violations.length;
    this.rows.restored(held ? [view(held)] : []);
    return this.violations.length === before;
  }
}

function view(held: Readonly<Record<string, readonly string[]>>): ShownReservation {
  const nodes = Object.entries(held).map(([node, devices]) => ({
    ...{ node: `node-${node}`, whole: false, gpus: devices.length, devices: [...devices] },
  }));
  return { name: 'r', ...TERMS, nodes };
}

const FIRST = { x: ['g0'], y: ['g1'] };
const MENDED = { x: ['g0'], z: ['g2'] };

test('one that is stored is there as it was, on the same nodes', () => {
  for (const [found, may] of [
    [FIRST, true],
    [undefined, false],
    [{ x: ['g1'], y: ['g0'] }, false],
    [{ x: ['g0'] }, false],
    [MENDED, false],
  ] as const) {
    const world = new World();
    world.rows.durable(world.stores('created', FIRST));
    expect([found, world.mayFind(found)]).toEqual([found, may]);
  }
});

test('of one that is under way, or its change, either may be found', () => {
  for (const found of [undefined, FIRST]) {
    const world = new World();
    world.stores('created', FIRST);
    expect(world.mayFind(found)).toBe(true);
    expect(world.mayFind(found ? undefined : FIRST)).toBe(false);
  }
  for (const [found, may] of [
    [FIRST, true],
    [MENDED, true],
    [undefined, false],
  ] as const) {
    const world = new World();
    world.rows.durable(world.stores('created', FIRST));
    world.stores('mended', MENDED);
    expect(world.mayFind(found)).toBe(may);
  }
});

test('one that was deleted is gone once that is stored, and never comes back', () => {
  const world = new World();
  world.rows.durable(world.stores('created', FIRST));
  const deleted = world.deletes();
  world.rows.durable(deleted);
  expect(world.mayFind(FIRST)).toBe(false);
  const underWay = new World();
  underWay.rows.durable(underWay.stores('created', FIRST));
  underWay.deletes();
  expect(underWay.mayFind(FIRST)).toBe(true);
});

test('rows and events of a batch say the same', () => {
  const world = new World();
  world.rows.told('created', 'r');
  world.rows.batchEnded();
  expect(world.violations.splice(0)).toHaveLength(1);
  world.stores('created', FIRST);
  expect(world.violations).toEqual([]);
  world.stores('began', MENDED);
  expect(world.violations.splice(0)).toEqual([
    'reservation r holds something else, and no event tells of it',
  ]);
  world.rows.told('ended', 'r');
  world.rows.batchEnded();
  expect(world.violations).toHaveLength(1);
});

test('while nothing is under way, memory holds what is stored and nothing else', () => {
  const world = new World();
  world.stores('created', FIRST);
  world.rows.compare([view(FIRST)]);
  expect(world.violations).toEqual([]);
  for (const views of [[], [view(MENDED)], [view(FIRST), { ...view(FIRST), name: 'other' }]]) {
    world.rows.compare(views);
    expect(world.violations.splice(0)).toHaveLength(1);
  }
});
