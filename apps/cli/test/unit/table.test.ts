// Shows how tables fit a terminal: whole into a pipe; else less important columns go, and one gets shorter.
import { describe, expect, it } from 'vitest';
import { renderTable } from '../../src/output/table.ts';

const HEADING = ['NAME', 'ID', 'STATE', 'COMMAND'];
const ROWS = [
  ['trainer', 'wl-01m7vrxwn85cqrm62bee', '\u001B[33mqueued\u001B[39m', 'python3 train.py --epochs 100'],
  ['x', 'wl-01m7vsv1dm9bwhfag5d1', 'running', 'make'],
];
const width = (table: string): number =>
  // oxlint-disable-next-line no-control-regex -- colours take no room
  Math.max(...table.split('\n').map((line) => line.replaceAll(/\u001B\[\d+m/g, '').length));

describe('renderTable', () => {
  it('is as wide as it needs to be where nobody looks at it', () => {
    expect(renderTable(HEADING, ROWS)).toBe(
      [
        'NAME     ID                       STATE    COMMAND',
        'trainer  wl-01m7vrxwn85cqrm62bee  \u001B[33mqueued\u001B[39m   python3 train.py --epochs 100',
        'x        wl-01m7vsv1dm9bwhfag5d1  running  make',
      ].join('\n'),
    );
  });

  it('shortens its elastic column first', () => {
    const table = renderTable(HEADING, ROWS, { columns: 60, dispensable: ['ID'] });
    expect(width(table)).toBeLessThanOrEqual(60);
    expect(table).toContain('wl-01m7vrxwn85cqrm62bee');
    expect(table).toContain('python3 trai');
    expect(table).toContain('…');
  });

  it('leaves out what it can do without, in the given order', () => {
    const table = renderTable(HEADING, ROWS, { columns: 40, dispensable: ['ID', 'STATE'] });
    expect(width(table)).toBeLessThanOrEqual(40);
    expect(table.split('\n')[0]).toMatch(/^NAME +STATE +COMMAND$/);
  });

  it('goes on below where it is told to wrap', () => {
    const table = renderTable(['COMMAND', 'DOES'], [['run', 'one two three four five six']], {
      columns: 24,
      wrap: true,
    });
    expect(width(table)).toBeLessThanOrEqual(24);
    expect(table.split('\n').length).toBeGreaterThan(2);
    expect(table.replaceAll(/\s+/g, ' ')).toContain('one two three four five six');
  });
});
