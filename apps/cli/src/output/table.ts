import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

const GAP = NO_BORDERS.middle.length;

/** What may give way where a table is wider than the terminal. */
export interface TableFit {
  /** Columns of the terminal; absent = as wide as the table needs, as for a pipe. */
  readonly columns: number | undefined;
  /** Headings of columns that are left out, first come first. */
  readonly dispensable?: readonly string[];
  /** Heading of the column that is shortened; default: the last. */
  readonly elastic?: string;
  /** What is too long goes on below instead. */
  readonly wrap?: boolean;
}

const MIN_ELASTIC = 12;

/** Columns under a heading, as wide as they need; no borders, so that `awk` and people read it alike. */
export function renderTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  fit: TableFit = { columns: undefined },
): string {
  const { kept, widths } = fitted(heading, rows, fit);
  const table = new Table({
    head: kept.map((index) => heading[index] ?? ''),
    chars: NO_BORDERS,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    ...(widths ? { colWidths: widths, wordWrap: fit.wrap ?? false } : {}),
  });
  table.push(...rows.map((row) => kept.map((index) => row[index] ?? '')));
  return trimLines(table.toString());
}

/** Which columns to show, and how wide if that is less than they need. */
function fitted(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  { columns = Infinity, dispensable = [], elastic }: TableFit,
): { readonly kept: readonly number[]; readonly widths?: number[] } {
  const needed = heading.map((name, index) =>
    Math.max(name.length, ...rows.map((row) => stripVTControlCharacters(row[index] ?? '').length)),
  );
  const stretchy = elastic === undefined ? heading.length - 1 : heading.indexOf(elastic);
  const least = needed.map((width, index) => (index === stretchy ? Math.min(width, MIN_ELASTIC) : width));
  const total = (widths: readonly number[], kept: readonly number[]): number =>
    kept.reduce((sum, index) => sum + (widths[index] ?? 0), (kept.length - 1) * GAP);
  let kept = heading.map((_, index) => index);
  for (const name of dispensable) {
    if (total(least, kept) <= columns) break;
    kept = kept.filter((index) => heading[index] !== name);
  }
  const excess = total(needed, kept) - columns;
  if (excess <= 0 || !kept.includes(stretchy)) return { kept };
  const width = Math.max(MIN_ELASTIC, (needed[stretchy] ?? 0) - excess);
  return { kept, widths: kept.map((index) => (index === stretchy ? width : (needed[index] ?? 0))) };
}

export type Facts = readonly (readonly [name: string, value: string | undefined])[];

/** Facts of one thing: names in a column, values beside them. Facts without a value are left out. */
export function renderFacts(facts: Facts): string {
  const shown = facts.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown
    .map(
      ([name, value = '']) =>
        `${name.padEnd(width)}  ${value.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`,
    )
    .join('\n');
}

function trimLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
