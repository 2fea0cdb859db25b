// Shows that exports are exact to nine decimals, valid CSV by RFC 4180, and no formula for a spreadsheet.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportCsv, exportJson, exportRows, type ExportRow } from '../../src/projection/export-rows.ts';
import type { AccountMovement } from '../../src/projection/movement.ts';

const ROW: ExportRow = {
  timeMs: Date.UTC(2026, 1, 3, 4, 5, 6, 789),
  kind: 'stream-pay',
  job: '0000000000000000000000000000002a',
  counterparty: 'alice',
  amount: -1_500_000_001n,
  fee: 0n,
  balanceAfter: 12n,
};

/** A reader of RFC 4180 of its own. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let [row, cell, isQuoted] = [[] as string[], '', false];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') [cell, at] = [`${cell}"`, at + 1];
      else isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === ',') [row, cell] = [[...row, cell], ''];
    else if (character === '\r' && text[at + 1] === '\n') {
      rows.push([...row, cell]);
      [row, cell, at] = [[], '', at + 1];
    } else cell += character;
  }
  expect(cell).toBe('');
  return rows;
}

describe('an export', () => {
  it('has a line of names, then one line a movement', () => {
    expect(exportCsv([ROW])).toBe(
      'time,kind,job,counterparty,amount,fee,balance after\r\n' +
        '2026-02-03T04:05:06.789Z,stream-pay,0000000000000000000000000000002a,alice,-1.500000001,0.000000000,0.000000012\r\n',
    );
    expect(exportCsv([ROW], { isFirst: false })).not.toContain('time,');
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '\nx', ' =1', '＝1', '=HYPERLINK("http://x","y")'])(
    'makes no formula of %j',
    (counterparty) => {
      const [, row] = readCsv(exportCsv([{ ...ROW, counterparty }]));
      expect(row?.[3]).toBe(`'${counterparty}`);
      // A number is a number, also a negative one.
      expect(row?.[4]).toBe('-1.500000001');
    },
  );

  it('comes back as it went out, whatever a name is', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ',', '"', '\r', '\n', '=', "'", ' ', 'ü') });
    fc.assert(
      fc.property(fc.array(text), (names) => {
        const rows = names.map((counterparty) => ({ ...ROW, counterparty }));
        const read = readCsv(exportCsv(rows, { isFirst: false }));
        expect(read).toHaveLength(names.length);
        for (const [index, name] of names.entries()) {
          expect(read[index]).toHaveLength(7);
          expect([name, `'${name}`]).toContain(read[index]?.[3]);
        }
      }),
    );
  });

  it('writes amounts exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 63n), max: 1n << 63n }), (amount) => {
        const [row] = JSON.parse(exportJson([{ ...ROW, amount }])) as [{ amount: string }];
        expect(row.amount).toMatch(/^-?[0-9]+\.[0-9]{9}$/);
        expect(BigInt(row.amount.replace('.', ''))).toBe(amount);
      }),
    );
  });

  it('takes what changed the posted balance, seen from the account', () => {
    const balance = { debitsPending: 0n, debitsPosted: 3n, creditsPending: 0n, creditsPosted: 10n };
    const movement: AccountMovement = {
      number: 0,
      sequence: 1,
      item: 0,
      timeMs: ROW.timeMs,
      effect: 'moved',
      debitAccount: 5n,
      creditAccount: 6n,
      amount: 3n,
      released: 0n,
      code: 1004,
      reference: 0n,
      after: balance,
    };
    const reserved = { ...movement, effect: 'reserved' } as const;
    const voided = { ...movement, effect: 'voided', amount: 0n } as const;
    const foreign = { ...movement, debitAccount: 6n, creditAccount: 5n, code: 9 };
    const rows = exportRows(5n, [movement, reserved, voided, foreign], (id) => `account ${id}`);
    const shared = { timeMs: ROW.timeMs, job: '', counterparty: 'account 6', balanceAfter: 7n };
    expect(rows).toEqual([
      { ...shared, kind: 'job-fee', amount: -3n, fee: 3n },
      { ...shared, kind: 'code-9', amount: 3n, fee: 0n },
    ]);
  });
});
