/** RS1024: a Reed-Solomon code over GF(1024) that finds any three wrong words (SLIP-0039). */
const GENERATOR = [
  0xe0e040, 0x1c1c080, 0x3838100, 0x7070200, 0xe0e0009, 0x1c0c2412, 0x38086c24, 0x3090fc48, 0x21b1f890,
  0x3f3f120,
] as const;

export const CHECKSUM_WORDS = 3;

export function isChecksumRight(words: readonly number[], extendable: boolean): boolean {
  return polymod([...customization(extendable), ...words]) === 1;
}

export function checksumOf(words: readonly number[], extendable: boolean): readonly number[] {
  const remainder = polymod([...customization(extendable), ...words, 0, 0, 0]) ^ 1;
  return [20, 10, 0].map((shift) => (remainder >> shift) & 1023);
}

function customization(extendable: boolean): readonly number[] {
  return [...new TextEncoder().encode(extendable ? 'shamir_extendable' : 'shamir')];
}

function polymod(values: readonly number[]): number {
  let checksum = 1;
  for (const value of values) {
    const top = checksum >> 20;
    checksum = ((checksum & 0xfffff) << 10) ^ value;
    GENERATOR.forEach((term, bit) => {
      if ((top >> bit) & 1) checksum ^= term;
    });
  }
  return checksum;
}
