// Shows what part of a GPU a MIG instance counts as, and that no layout that NVIDIA allows sums to more than
// the GPU.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { migPart } from '../../../src/scheduler/cluster/mig-part.ts';

const H100 = 'NVIDIA H100 80GB HBM3';

describe('the part of a GPU that an instance is', () => {
  test.each([
    ['1g.10gb', H100, 142],
    ['1g.10gb+me', H100, 142],
    ['1g.20gb', H100, 142],
    ['2g.20gb', H100, 285],
    ['3g.40gb', H100, 428],
    ['4g.40gb', H100, 571],
    ['7g.80gb', H100, 1000],
    ['1c.3g.40gb', H100, 142],
    ['1g.6gb', 'NVIDIA A30', 250],
    ['2g.12gb+me', 'NVIDIA A30', 500],
    ['4g.24gb', 'a30', 1000],
    ['1g.5gb', 'NVIDIA A100-SXM4-40GB', 142],
    ['1g.24gb', 'NVIDIA GH200 96GB', 142],
    ['1g.24gb-me', 'NVIDIA RTX PRO 6000 Blackwell Server Edition', 250],
    ['1g.24gb', 'NVIDIA RTX PRO 5000 Blackwell', 500],
    ['1g.12gb', 'NVIDIA RTX PRO 5000 Blackwell', 250],
    ['2g.32gb', 'NVIDIA RTX PRO 4500 Blackwell', 1000],
    ['1g.10gb', '', 142],
    ['of another kind', H100, 142],
  ])('%s of %s', (profile, model, milli) => {
    expect(migPart(profile, model)).toBe(milli);
  });
});

/** Models with their slices and the profiles by slices. */
const GPUS = [
  {
    model: H100,
    slices: 7,
    profiles: { 1: '1g.10gb', 2: '2g.20gb', 3: '3g.40gb', 4: '4g.40gb', 7: '7g.80gb' },
  },
  { model: 'NVIDIA A30', slices: 4, profiles: { 1: '1g.6gb', 2: '2g.12gb', 4: '4g.24gb' } },
  {
    model: 'NVIDIA RTX PRO 6000 Blackwell',
    slices: 4,
    profiles: { 1: '1g.24gb', 2: '2g.48gb', 4: '4g.96gb' },
  },
  { model: 'NVIDIA RTX PRO 5000 Blackwell', slices: 2, profiles: { 1: '1g.24gb', 2: '2g.48gb' } },
] as const;

it('never sums to more than the GPU, and misses no more of it than rounding takes', () => {
  fc.assert(
    fc.property(fc.constantFrom(...GPUS), fc.array(fc.nat(4), { maxLength: 9 }), (gpu, picks) => {
      const sizes = Object.keys(gpu.profiles).map(Number);
      let [left, sum, count] = [gpu.slices as number, 0, 0];
      for (const pick of picks) {
        const size = sizes[pick % sizes.length] ?? 1;
        const profile = (gpu.profiles as Readonly<Record<number, string>>)[size] ?? '';
        if (size > left) continue;
        left -= size;
        sum += migPart(profile, gpu.model);
        count += 1;
      }
      expect(sum).toBeLessThanOrEqual(1000);
      expect(sum).toBeGreaterThan((1000 * (gpu.slices - left)) / gpu.slices - count - 1e-6);
    }),
  );
});
