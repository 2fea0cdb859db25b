import type { Call } from '../../declare/declaration.ts';
import { wholeStatement, type StatementOptions } from './statement.ts';

interface ExportOptions extends StatementOptions {
  readonly format?: 'csv' | 'json';
}

/** For tax offices and spreadsheets: one row for each movement, the oldest first. */
export async function exportMovements({ context, operands: [address], options }: Call): Promise<void> {
  const { format = 'csv', ...given } = options as ExportOptions;
  const { movements } = await wholeStatement(context, address, given);
  const rows = movements.map(({ amount, fee, balanceAfter, ...row }) => ({
    ...row,
    amount: BigInt(amount),
    fee: BigInt(fee),
    balanceAfter: BigInt(balanceAfter),
  }));
  const { exportCsv, exportJson } = await import('@clawbernetes/ledger');
  context.terminal.stdout.write(format === 'csv' ? exportCsv(rows) : exportJson(rows));
}
