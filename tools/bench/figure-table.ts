import type { BenchmarkReport, Figures } from './benchmark.ts';

/** The report as lines for people: one figure per line, groups as dotted names, numbers aligned. */
export function figureTable({ results, peers, ratios }: BenchmarkReport): string[] {
  const sections = Object.entries({ results, peers, ratios }).map(([title, figures]) => ({
    title,
    rows: flatten(figures, ''),
  }));
  const rows = sections.flatMap((section) => section.rows);
  const nameWidth = Math.max(0, ...rows.map(([name]) => name.length));
  const figureWidth = Math.max(0, ...rows.map(([, figure]) => figure.length));
  return sections
    .filter((section) => section.rows.length > 0)
    .flatMap(({ title, rows: own }) => [
      title,
      ...own.map(([name, figure]) => `  ${name.padEnd(nameWidth)}  ${figure.padStart(figureWidth)}`),
    ]);
}

function flatten(figures: Figures, prefix: string): [string, string][] {
  return Object.entries(figures).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? flatten(value, `${prefix}${name}.`)
      : [[prefix + name, typeof value === 'number' ? formatNumber(value) : String(value ?? 'not measured')]],
  );
}

/** Three significant digits or all the whole ones, with thousands apart. */
function formatNumber(value: number): string {
  const maximumFractionDigits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits });
}
