import { MOVEMENT_KINDS } from '../orders/movement-kinds.ts';
import type { AccountMovement } from './movement.ts';

/** A movement of an account as tax offices want it: what it did to the balance. Amounts in base units. */
export interface ExportRow {
  readonly timeMs: number;
  readonly kind: string;
  /** Reference as 32 hexadecimal digits; empty without one. */
  readonly job: string;
  readonly counterparty: string;
  /** What came in; negative: what went out. */
  readonly amount: bigint;
  /** How much of the amount, without its sign, is a fee. */
  readonly fee: bigint;
  /** Credits less debits that are posted. */
  readonly balanceAfter: bigint;
}

const DECIMALS = 9;
const UNIT = 10n ** BigInt(DECIMALS);
const COLUMNS = ['time', 'kind', 'job', 'counterparty', 'amount', 'fee', 'balance after'] as const;
const KINDS = new Map<number, string>(Object.entries(MOVEMENT_KINDS).map(([kind, code]) => [code, kind]));
const FEES: ReadonlySet<string> = new Set(['job-fee', 'dispute-fee', 'withdrawal-fee']);

/**
 * Movements that changed what is posted to the account, as rows; what was only reserved, or freed, is none.
 * @param nameOf what an account is called; its id in hexadecimal digits if absent.
 */
export function exportRows(
  account: bigint,
  movements: readonly AccountMovement[],
  nameOf: (account: bigint) => string = hex,
): ExportRow[] {
  return movements
    .filter(({ effect, amount }) => (effect === 'moved' || effect === 'posted') && amount > 0n)
    .map((movement) => exportRow(account, movement, nameOf));
}

/**
 * CSV after RFC 4180, with CRLF. No cell is taken for a formula by a spreadsheet: text that begins like one
 * gets an apostrophe before it (OWASP, CSV Injection). Amounts are numbers, negative ones too.
 * @param isFirst whether the line of column names comes first.
 */
export function exportCsv(rows: readonly ExportRow[], { isFirst = true } = {}): string {
  const lines = rows.map((row) =>
    [...textsOf(row).map(textCell), ...amountsOf(row)].join(',').concat('\r\n'),
  );
  return (isFirst ? `${COLUMNS.join(',')}\r\n` : '') + lines.join('');
}

/** An array of objects; amounts are texts with nine decimals, exact. */
export function exportJson(rows: readonly ExportRow[]): string {
  const objects = rows.map((row) => {
    const [time, kind, job, counterparty] = textsOf(row);
    const [amount, fee, balanceAfter] = amountsOf(row);
    return { time, kind, job, counterparty, amount, fee, balanceAfter };
  });
  return `${JSON.stringify(objects, undefined, 2)}\n`;
}

function exportRow(
  account: bigint,
  movement: AccountMovement,
  nameOf: (account: bigint) => string,
): ExportRow {
  const { timeMs, code, reference, debitAccount, creditAccount, amount, after } = movement;
  const isDebit = debitAccount === account;
  const kind = KINDS.get(code) ?? `code-${code}`;
  return {
    timeMs,
    kind,
    job: reference === 0n ? '' : hex(reference),
    counterparty: nameOf(isDebit ? creditAccount : debitAccount),
    amount: isDebit ? -amount : amount,
    fee: FEES.has(kind) ? amount : 0n,
    balanceAfter: after.creditsPosted - after.debitsPosted,
  };
}

function textsOf({ timeMs, kind, job, counterparty }: ExportRow): readonly string[] {
  return [new Date(timeMs).toISOString(), kind, job, counterparty];
}

function amountsOf({ amount, fee, balanceAfter }: ExportRow): readonly string[] {
  return [amount, fee, balanceAfter].map(exactAmount);
}

function exactAmount(amount: bigint): string {
  const size = amount < 0n ? -amount : amount;
  const fraction = (size % UNIT).toString().padStart(DECIMALS, '0');
  return `${amount < 0n ? '-' : ''}${size / UNIT}.${fraction}`;
}

/** Also where the sign comes after spaces, or in its full width form: spreadsheets look past both. */
function textCell(text: string): string {
  const isFormula = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/u.test(text);
  const safe = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function hex(id: bigint): string {
  return id.toString(16).padStart(32, '0');
}
