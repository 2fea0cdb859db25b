// Shows that sums in two words are those of bigints, there and back, with every carry and borrow.
import { seededRandom } from '@clawbernetes/kernel';
import { expect, it } from 'vitest';
import { EFFECT } from '../../src/machine/transfer-outcome.ts';
import {
  applyChange,
  CREDIT_SIDE,
  DEBIT_SIDE,
  readWide,
  revertChange,
  SUM_WORDS,
} from '../../src/projection/wide-sum.ts';

const random = seededRandom(1);
const LARGE = [0n, 1n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_ffff_ffffn, 10n ** 18n];

function amount(): bigint {
  const large = LARGE[Math.floor(random.fraction() * LARGE.length)] ?? 0n;
  return random.fraction() < 0.5 ? large : BigInt(Math.floor(random.fraction() * 2 ** 52));
}

/** Moved or posted, then released: low and high word of each. */
function wordsOf(moved: bigint, released: bigint): Uint32Array {
  return Uint32Array.from([moved, moved >> 32n, released, released >> 32n], (value) =>
    Number(value & 0xffff_ffffn),
  );
}

it.each([
  ['debits', DEBIT_SIDE],
  ['credits', CREDIT_SIDE],
])('of %s', (_, side) => {
  const sums = new Uint32Array(SUM_WORDS);
  const done: { readonly effect: number; readonly words: Uint32Array; readonly before: Uint32Array }[] = [];
  let [pending, posted] = [0n, 0n];
  const reserved: bigint[] = [];
  for (let step = 0; step < 2000 && posted + pending < 1n << 62n; step += 1) {
    const whole = random.fraction() < 0.5 ? reserved.pop() : undefined;
    const moved = whole === undefined ? amount() : (whole * BigInt(Math.floor(random.fraction() * 5))) / 4n;
    const isReserved = whole === undefined && random.fraction() < 0.6;
    const kept = whole === undefined ? EFFECT.moved : EFFECT.posted;
    const ends = random.fraction() < 0.3 && whole !== undefined ? EFFECT.voided : kept;
    const effect = isReserved ? EFFECT.reserved : ends;
    if (isReserved) {
      reserved.push(moved);
      pending += moved;
    } else if (effect !== EFFECT.voided) posted += moved;
    if (whole !== undefined) pending -= whole;
    const words = wordsOf(effect === EFFECT.voided ? 0n : moved, whole ?? 0n);
    done.push({ effect, words, before: sums.slice() });
    applyChange(sums, side, effect, words, 0);
    expect([readWide(sums, side), readWide(sums, side + 2)]).toEqual([pending, posted]);
  }
  expect(done.length).toBeGreaterThan(20);
  expect(posted).toBeGreaterThan(1n << 33n);
  for (const { effect, words, before } of done.toReversed()) {
    revertChange(sums, side, effect, words, 0);
    expect(sums).toEqual(before);
  }
});
