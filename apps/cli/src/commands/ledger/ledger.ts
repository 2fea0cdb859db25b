import { formatDuration } from '@clawbernetes/kernel';
import type { CommandOutput } from '@clawbernetes/protocol';
import type { AuditProgress, AuditReport } from '@clawbernetes/sdk';
import type { Call } from '../../declare/declaration.ts';
import { count } from '../../output/phrases.ts';
import { renderFacts } from '../../output/table.ts';
import { moltText } from '../molt/molt-amount.ts';
import { networkText } from '../molt/network-text.ts';

export async function showLedger({ context }: Call): Promise<void> {
  const client = await context.client();
  const info = await client.command('ledger.info', {});
  await context.print(info, () =>
    renderFacts([
      ['Network', networkText(context, info)],
      ['Storage', info.storage],
      ['Journal', count(info.sequence, 'frame')],
      ['History', historyText(info.history)],
      ['Accounts', String(info.accounts)],
      ['Clock', clockText(info)],
      ['Providers', `have ${moltText(info.providerStake)} at stake, at least`],
      ['Faucet', info.faucetAmount === '0' ? undefined : `${moltText(info.faucetAmount)} a day for each`],
      ['Operators', `${info.operators.threshold} of ${info.operators.keys.join(', ')}`],
    ]),
  );
}

function clockText({ clockAheadMs }: CommandOutput<'ledger.info'>): string | undefined {
  if (clockAheadMs === 0) return undefined;
  const off = formatDuration(Math.abs(clockAheadMs));
  return `of its machine is ${off} ${clockAheadMs > 0 ? 'ahead' : 'behind'}: the ledger does not follow it`;
}

function historyText({ lagFrames, lagMovements }: CommandOutput<'ledger.info'>['history']): string {
  return lagFrames === 0
    ? 'up to date'
    : `${count(lagFrames, 'frame')} behind, ${count(lagMovements, 'movement')}`;
}

/** Ends with 1 if anything is not as it should be. */
export async function auditLedger({ context }: Call): Promise<number> {
  const client = await context.client();
  if (context.format === 'table') context.remark('Recomputing the ledger from its first frame…');
  const onProgress = ({ frames, of }: AuditProgress): void =>
    context.remark(context.terminal.errorColours.dim(`… ${progressText(frames, of)}`));
  const report = await client.audit(context.format === 'table' ? { onProgress } : {});
  const { stateHash, totals, discrepancies, ...facts } = report;
  await context.print({ stateHash, totals, discrepancies, ...facts }, () => reportText(report));
  return discrepancies.length === 0 ? 0 : 1;
}

function progressText(frames: number, of: number): string {
  const percent = of === 0 ? 0 : Math.floor((100 * frames) / of);
  return `${frames} of ${count(of, 'frame')} (${percent} %)`;
}

function reportText({ ledgerId, stateHash, totals, discrepancies }: AuditReport): string {
  const assets = totals.assets.map(
    ({ asset, issued, held, pending }) =>
      `${asset}: ${moltText(held)} held of ${moltText(-BigInt(issued))} issued, ${moltText(pending)} pending`,
  );
  return [
    renderFacts([
      ['Ledger', ledgerId],
      ['State hash', stateHash],
      ['Journal', `${count(totals.frames, 'frame')}, ${count(totals.operations, 'operation')}`],
      ['Signatures', `${totals.signatures} verified`],
      ['Accounts', String(totals.accounts)],
      ['Assets', assets.join('\n')],
      ['Discrepancies', discrepancies.length === 0 ? 'none' : String(discrepancies.length)],
    ]),
    ...discrepancies.map(({ kind, sequence, message }) => `  frame ${sequence}: ${kind}: ${message}`),
  ].join('\n');
}
