import { assert, present } from '@clawbernetes/kernel';

/** Pieces are rounded up to so many parts of a whole: a hundredth of a GPU. */
export const PARTS = 100;
const MAX_PIVOTS = 400;
const EPSILON = 1e-9;

/** How much of a size is wanted, relative to the others. */
export interface Piece {
  /** In parts of the whole, 1 to PARTS. */
  readonly size: number;
  readonly wanted: number;
}

/**
 * What each part of a GPU is worth: the duals of the cutting-stock problem, by column generation (Gilmore and
 * Gomory, "A linear programming approach to the cutting-stock problem", 1961). A piece is worth what share of
 * a whole GPU it costs at the least to supply it; a rest of a GPU is worth the best set of pieces that can
 * still be cut from it.
 * @returns the worth of a rest of so many parts: `[0]` is 0, `[PARTS]` is 1.
 */
export function worthOfRests(pieces: readonly Piece[]): Float64Array<ArrayBuffer> {
  if (pieces.length === 0) return Float64Array.from({ length: PARTS + 1 }, (_, part) => part / PARTS);
  const basis = new Basis(pieces);
  for (let pivot = 0; pivot < MAX_PIVOTS; pivot += 1) {
    const { worth, choice } = bestPatterns(pieces, basis.duals());
    if ((worth[PARTS] ?? 0) <= 1 + 1e-7) break;
    basis.enter(patternOf(pieces, choice));
  }
  const { worth } = bestPatterns(pieces, basis.duals());
  const whole = worth[PARTS] ?? 0;
  assert(whole > 0, 'what is wanted has a worth');
  return worth.map((part) => part / whole);
}

/**
 * A knapsack for each number of parts, and the piece that is cut first in it; −1 where a part is left over.
 */
function bestPatterns(
  pieces: readonly Piece[],
  duals: Float64Array,
): { readonly worth: Float64Array<ArrayBuffer>; readonly choice: Int32Array } {
  const worth = new Float64Array(PARTS + 1);
  const choice = new Int32Array(PARTS + 1).fill(-1);
  for (let parts = 1; parts <= PARTS; parts += 1) {
    let best = worth[parts - 1] ?? 0;
    for (const [index, { size }] of pieces.entries()) {
      if (size > parts) continue;
      const value = (worth[parts - size] ?? 0) + (duals[index] ?? 0);
      if (value <= best + EPSILON) continue;
      best = value;
      choice[parts] = index;
    }
    worth[parts] = best;
  }
  return { worth, choice };
}

/** How many of each piece the best pattern of a whole GPU has. */
function patternOf(pieces: readonly Piece[], choice: Int32Array): Float64Array {
  const pattern = new Float64Array(pieces.length);
  for (let parts = PARTS; parts > 0;) {
    const index = choice[parts] ?? -1;
    if (index < 0) {
      parts -= 1;
      continue;
    }
    pattern[index] = (pattern[index] ?? 0) + 1;
    parts -= present(pieces[index], 'a piece of a pattern').size;
  }
  return pattern;
}

/** The basis of the linear program: as many patterns as there are pieces, and its inverse. */
class Basis {
  readonly #inverse: readonly Float64Array[];
  /** How often each pattern is cut. */
  readonly #amounts: Float64Array;

  /** Begins with patterns of a single kind of piece each. */
  constructor(pieces: readonly Piece[]) {
    const perWhole = pieces.map(({ size }) => Math.floor(PARTS / size));
    this.#inverse = perWhole.map((count, row) => {
      const cells = new Float64Array(pieces.length);
      cells[row] = 1 / count;
      return cells;
    });
    // A little of each keeps the program from degenerating.
    this.#amounts = Float64Array.from(pieces, ({ wanted }, row) => (wanted + 1e-4) / (perWhole[row] ?? 1));
  }

  /** Of each piece; every pattern costs one GPU. */
  duals(): Float64Array {
    const duals = new Float64Array(this.#amounts.length);
    for (const row of this.#inverse)
      for (const [piece, cell] of row.entries()) duals[piece] = (duals[piece] ?? 0) + cell;
    return duals.map((dual) => Math.max(0, dual));
  }

  /** Takes a pattern in for the one that it uses up first. */
  enter(pattern: Float64Array): void {
    const direction = Float64Array.from(this.#inverse, (row) => dot(row, pattern));
    const leaving = this.#leaving(direction);
    if (leaving < 0) return;
    const pivot = direction[leaving] ?? 1;
    const row = present(this.#inverse[leaving], 'a row of the basis');
    for (const [column, cell] of row.entries()) row[column] = cell / pivot;
    const amount = (this.#amounts[leaving] ?? 0) / pivot;
    for (const [other, cells] of this.#inverse.entries()) {
      const factor = direction[other] ?? 0;
      if (other === leaving || factor === 0) continue;
      for (const [column, cell] of row.entries()) cells[column] = (cells[column] ?? 0) - factor * cell;
      this.#amounts[other] = (this.#amounts[other] ?? 0) - factor * amount;
    }
    this.#amounts[leaving] = amount;
  }

  #leaving(direction: Float64Array): number {
    let [leaving, least] = [-1, Infinity];
    for (const [row, change] of direction.entries()) {
      if (change <= EPSILON) continue;
      const ratio = (this.#amounts[row] ?? 0) / change;
      if (ratio >= least) continue;
      least = ratio;
      leaving = row;
    }
    return leaving;
  }
}

function dot(left: Float64Array, right: Float64Array): number {
  let sum = 0;
  for (const [index, cell] of left.entries()) sum += cell * (right[index] ?? 0);
  return sum;
}
