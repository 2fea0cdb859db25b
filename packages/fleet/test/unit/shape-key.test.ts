// Shows that shapes have the same key exactly when they are the same, whatever they ask for.
import { canonicalJson, type Json } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shapeKey, type Shape } from '../../src/index.ts';

type GangShape = NonNullable<Shape['gang']>;

/** A shape consists of JSON. */
function textOf(shape: Shape): string {
  return canonicalJson(shape as unknown as Json);
}

/** Of few values each, so that equal shapes are drawn often; every member of a shape is named. */
const always: { readonly [Name in keyof Required<Shape>]: fc.Arbitrary<NonNullable<Shape[Name]>> } = {
  gpus: fc.constantFrom(0, 1, 11),
  gpuMilli: fc.constantFrom(1, 11, 250),
  migProfile: fc.constantFrom('1g.10gb', '2g.20gb'),
  nvlink: fc.constantFrom('required', 'preferred'),
  gpuModels: fc.constantFrom([], ['h100'], ['a100', 'h100']),
  minGpuMemoryMib: fc.constantFrom(0, 1, 11),
  cpuMilli: fc.constantFrom(1, 11),
  memoryMib: fc.constantFrom(1, 11),
  executor: fc.constantFrom('process', 'container'),
  sandboxRequired: fc.boolean(),
  nodeSelector: fc.constantFrom<Record<string, string>>({}, { rack: 'a' }, { rack: 'b' }),
  nodeId: fc.constantFrom('node-1', 'node-2'),
  tolerations: fc.constantFrom([{ key: 'a' }], [{ key: 'a', value: 'b' }]),
  affinity: fc.constantFrom(
    { required: [], preferred: [] },
    { required: [{ label: 'ssd', operator: 'exists' as const, values: [] }], preferred: [] },
  ),
  within: fc.constantFrom('nvlink-island', 'numa'),
  gang: fc.constantFrom<GangShape>(
    { members: { min: 2, max: 2 } },
    { members: { min: 1, max: 2 } },
    { members: { min: 2, max: 2 }, topology: { level: 'rack', rule: 'required' } },
    { members: { min: 2, max: 2 }, topology: { level: 'rack', rule: 'preferred' } },
    ...(['required', 'preferred'] as const).map((rule) => ({
      members: { min: 2, max: 2 },
      topology: { level: 'node' as const, rule },
    })),
    ...(['nvlink-island', 'numa'] as const).map((level) => ({
      members: { min: 2, max: 2 },
      topology: { level: 'node' as const, rule: 'required' as const },
      within: { level, rule: 'required' as const },
    })),
    { members: { min: 2, max: 2 }, spread: { by: 'rack', maxSkew: 1, rule: 'required' } },
  ),
};
const { gpuMilli, migProfile, nvlink, nodeId, tolerations, affinity, within, gang, ...required } = always;
const parts = { gpuMilli, migProfile, nvlink };

const shapes: fc.Arbitrary<Shape> = fc
  .tuple(
    fc.record(required),
    fc.record({ ...parts, nodeId, tolerations, affinity, within, gang }, { requiredKeys: [] }),
    fc.boolean(),
  )
  .map(([shape, rest, isPlain]) =>
    isPlain ? { ...shape, gpuModels: [], nodeSelector: {} } : { ...shape, ...rest },
  );

it('tells shapes apart, and nothing else', () => {
  fc.assert(
    fc.property(shapes, shapes, (left, right) => {
      const isSame = textOf(left) === textOf(right);
      expect(shapeKey(left) === shapeKey(right)).toBe(isSame);
    }),
    { numRuns: 3000 },
  );
});

it('tells apart what differs in one member', () => {
  fc.assert(
    fc.property(
      shapes,
      shapes,
      fc.constantFrom(...(Object.keys(always) as (keyof Shape)[])),
      (shape, other, name) => {
        const changed = { ...shape, [name]: other[name] };
        const isSame = textOf(shape) === textOf(changed);
        expect(shapeKey(shape) === shapeKey(changed)).toBe(isSame);
      },
    ),
    { numRuns: 3000 },
  );
});
