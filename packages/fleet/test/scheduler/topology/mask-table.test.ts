// Shows that the chosen GPUs are the best subset by brute force, whatever joins them, and that as many
// members as are counted also find GPUs.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gpuGraph, type GpuGraph, type GpuLink } from '../../../src/scheduler/topology/gpu-graph.ts';
import { bitsOf, countBits, fullMask, subsetsOf } from '../../../src/scheduler/topology/gpu-mask.ts';
import { maskTable, type NvlinkRule } from '../../../src/scheduler/topology/mask-table.ts';

const LINKS: readonly GpuLink[] = [
  { link: 'NV', width: 18 },
  { link: 'NV', width: 4 },
  { link: 'XGMI' },
  { link: 'PIX' },
  { link: 'PXB' },
  { link: 'PHB' },
  { link: 'NODE' },
  { link: 'SYS' },
  { link: 'UNKNOWN' },
];

interface Machine {
  readonly graph: GpuGraph;
  readonly numa: readonly number[];
}

function machine(size: number, numa: readonly number[], link: (a: number, b: number) => GpuLink): Machine {
  const gpus = Array.from({ length: size }, (_, gpu) => gpu);
  const links = gpus.map((a) => gpus.map((b) => link(Math.min(a, b), Math.max(a, b))));
  return { graph: gpuGraph(links, numa), numa };
}

/** Two sockets of four, NVSwitch between all. */
const NVSWITCH = machine(8, [0, 0, 0, 0, 1, 1, 1, 1], () => ({ link: 'NV', width: 18 }));
/** Bridges join 0-3, 1-2, 4-7, 5-6; the rest is PCIe. */
const BRIDGED = machine(8, [0, 0, 0, 0, 1, 1, 1, 1], (a, b) => {
  if (a + b === 3 || a + b === 11) return { link: 'NV', width: 12 };
  return { link: a < 4 === b < 4 ? 'NODE' : 'SYS' };
});

function randomMachine(minSize: number, maxSize: number): fc.Arbitrary<Machine> {
  return fc.integer({ min: minSize, max: maxSize }).chain((size) =>
    fc
      .record({
        numa: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: size, maxLength: size }),
        kinds: fc.array(fc.constantFrom(...LINKS), { minLength: size * size, maxLength: size * size }),
      })
      .map(({ numa, kinds }) => machine(size, numa, (a, b) => kinds[a * size + b]!)),
  );
}

/** Bottleneck, total and minus the NUMA nodes, straight from their definitions. */
function linksOf({ graph, numa }: Machine, subset: number): readonly number[] {
  const gpus = bitsOf(subset);
  const pairs = gpus.flatMap((a) =>
    gpus.filter((b) => b > a).map((b) => graph.bandwidth[a * graph.size + b]!),
  );
  const total = pairs.reduce((sum, pair) => sum + pair, 0);
  return [Math.min(Infinity, ...pairs), total, -new Set(gpus.map((gpu) => numa[gpu])).size];
}

function compare(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at < 0 ? 0 : one[at]! - other[at]!;
}

/** Every two GPUs are joined by a path of NVLinks within the subset. */
function isJoined({ graph }: Machine, subset: number): boolean {
  const [first, ...others] = bitsOf(subset);
  const reached = new Set([first]);
  for (let round = 0; round < others.length; round++) {
    for (const gpu of others) {
      if ([...reached].some((from) => (graph.nvlink[gpu]! >>> from!) & 1)) reached.add(gpu);
    }
  }
  return reached.size === others.length + 1;
}

function allowed(on: Machine, free: number, count: number, rule: NvlinkRule): readonly number[] {
  return [...subsetsOf(free, count)].filter((subset) => rule === 'prefer' || isJoined(on, subset));
}

/** The most disjoint subsets, by trying all. */
function mostMembers(on: Machine, free: number, count: number, rule: NvlinkRule): number {
  return Math.max(
    0,
    ...allowed(on, free, count, rule).map((subset) => 1 + mostMembers(on, free & ~subset, count, rule)),
  );
}

const request = fc.record({
  free: fc.integer({ min: 0, max: 255 }),
  count: fc.integer({ min: 1, max: 8 }),
  rule: fc.constantFrom<NvlinkRule>('prefer', 'require'),
});

describe('up to 8 GPUs', () => {
  test('the best subset has the best links of all, then the least damage, then the lowest GPUs', () => {
    const anyMachine = fc.oneof(randomMachine(1, 8), fc.constant(NVSWITCH), fc.constant(BRIDGED));
    fc.assert(
      fc.property(anyMachine, request, (on, { free: bits, count, rule }) => {
        const free = bits & fullMask(on.graph.size);
        const table = maskTable(on.graph);
        const ranked = allowed(on, free, count, rule).toSorted(
          (one, other) =>
            compare(linksOf(on, other), linksOf(on, one)) ||
            table.damage(free, one) - table.damage(free, other) ||
            one - other,
        );
        expect(table.best(free, count, rule)).toBe(ranked[0] ?? 0);
      }),
      { numRuns: 400 },
    );
  });

  test('as many members are counted as fit, and all of them find disjoint GPUs', () => {
    fc.assert(
      fc.property(randomMachine(1, 7), request, (on, { free: bits, count, rule }) => {
        const free = bits & fullMask(on.graph.size);
        const table = maskTable(on.graph);
        const members = table.members(free, count, rule);
        expect(members).toBe(mostMembers(on, free, count, rule));
        const given = table.assign(free, { members, gpusEach: count, nvlink: rule });
        expectDisjoint(on, free, { given, count, rule, members });
        expect(table.assign(free, { members: members + 1, gpusEach: count, nvlink: rule })).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

function expectDisjoint(
  on: Machine,
  free: number,
  expected: {
    readonly given: readonly number[];
    readonly count: number;
    readonly rule: NvlinkRule;
    readonly members: number;
  },
): void {
  const { given, count, rule, members } = expected;
  expect(given).toHaveLength(members);
  let rest = free;
  for (const subset of given) {
    expect(subset & ~rest).toBe(0);
    expect(countBits(subset)).toBe(count);
    expect(rule === 'prefer' || isJoined(on, subset)).toBe(true);
    rest &= ~subset;
  }
}

describe('whole blocks', () => {
  const table = maskTable(NVSWITCH.graph);
  test.each([
    // A single GPU comes out of what is broken already: 6 is alone, 0-5 are a four and a pair.
    { free: 0b0111_1111, count: 1, best: 0b0100_0000 },
    // The pair that is left of a four, not two of a whole four.
    { free: 0b0011_1111, count: 2, best: 0b0011_0000 },
    // Two of one socket although two odd ones are free across them.
    { free: 0b0001_0111, count: 2, best: 0b0000_0011 },
    // A whole four, not two pairs of two sockets.
    { free: 0b1111_0111, count: 4, best: 0b1111_0000 },
    { free: 0b1111_1111, count: 8, best: 0b1111_1111 },
    { free: 0b0111_1111, count: 8, best: 0 },
  ])('behind NVSwitch: $count of $free', ({ free, count, best }) => {
    expect(table.best(free, count, 'require')).toBe(best);
    expect(table.best(free, count, 'prefer')).toBe(best);
  });

  test('blocks follow the bridges, not the numbers of GPUs', () => {
    const bridged = maskTable(BRIDGED.graph);
    expect(bridged.best(0b1111, 2, 'prefer')).toBe(0b0110);
    // With GPU 1 gone its partner 2 is the one to break up further.
    expect(bridged.best(0b1101, 1, 'prefer')).toBe(0b0100);
    expect(bridged.members(0b1111_1111, 2, 'require')).toBe(4);
    expect(bridged.members(0b1111_1111, 3, 'require')).toBe(0);
    expect(bridged.members(0b1111_1111, 3, 'prefer')).toBe(2);
    expect(bridged.members(0b1100_1100, 2, 'require')).toBe(0);
  });

  test('a member does not cut the island that another one needs', () => {
    // A chain 0-1-2-3 whose middle is its best link.
    const chain = machine(4, [0, 0, 0, 0], (a, b) =>
      b - a === 1 ? { link: 'NV', width: a === 1 ? 12 : 4 } : { link: 'SYS' },
    );
    const chained = maskTable(chain.graph);
    const both = { gpusEach: 2, nvlink: 'require' } as const;
    expect(chained.assign(0b1111, { ...both, members: 1 })).toEqual([0b0110]);
    expect(chained.assign(0b1111, { ...both, members: 2 })).toEqual([0b0011, 0b1100]);
  });
});

describe('9 to 32 GPUs', () => {
  const wideRequest = fc.record({
    free: fc.integer(),
    count: fc.integer({ min: 1, max: 32 }),
    rule: fc.constantFrom<NvlinkRule>('prefer', 'require'),
  });

  test('what is given is free, of the right size and joined; as many members find GPUs as are counted', () => {
    fc.assert(
      fc.property(randomMachine(9, 32), wideRequest, (on, { free: bits, count, rule }) => {
        const free = bits & fullMask(on.graph.size);
        const table = maskTable(on.graph);
        const members = table.members(free, count, rule);
        const most = Math.floor(countBits(free) / count);
        if (rule === 'prefer') expect(members).toBe(most);
        else expect(members).toBeLessThanOrEqual(most);
        expect(table.best(free, count, rule) !== 0).toBe(members > 0);
        const given = table.assign(free, { members, gpusEach: count, nvlink: rule });
        expectDisjoint(on, free, { given, count, rule, members });
      }),
      { numRuns: 60 },
    );
  });

  test('16 behind NVSwitch: one half if it suffices, both halves otherwise', () => {
    const halves = machine(16, [...Array(8).fill(0), ...Array(8).fill(1)], () => ({ link: 'NV', width: 6 }));
    const table = maskTable(halves.graph);
    expect(table.best(0xffff, 8, 'require')).toBe(0x00ff);
    expect(table.best(0xff7f, 8, 'require')).toBe(0xff00);
    // Seven and nine are free: what is broken already gives first.
    expect(table.best(0xff7f, 1, 'require')).toBe(0x0040);
    // A four of the half that is broken already, not the whole half.
    expect(table.best(0xf0ff, 1, 'require')).toBe(0x1000);
    expect(countBits(table.best(0xffff, 12, 'require'))).toBe(12);
    expect(table.members(0xffff, 8, 'require')).toBe(2);
    expect(table.members(0xfffe, 5, 'require')).toBe(3);
    expect(table.best(0x7f7f, 8, 'require')).not.toBe(0);
  });

  test('two boards without NVLink between them: an island is one board', () => {
    const boards = machine(16, [...Array(8).fill(0), ...Array(8).fill(1)], (a, b) =>
      a < 8 === b < 8 ? { link: 'NV', width: 4 } : { link: 'SYS' },
    );
    const table = maskTable(boards.graph);
    expect(table.members(0xffff, 5, 'require')).toBe(2);
    expect(table.members(0xffff, 5, 'prefer')).toBe(3);
    expect(table.best(0xffff, 9, 'require')).toBe(0);
    expect(countBits(table.best(0xffff, 9, 'prefer'))).toBe(9);
  });
});
