import { formatBytes, formatDuration } from '@clawbernetes/kernel';
import { NO_LOG_ROOT, receiptHash, signaturesOf, type SignedReceipt } from '@clawbernetes/sdk/receipts';
import { oneLine } from '../../output/phrases.ts';
import { renderFacts } from '../../output/table.ts';
import { moltText } from './molt-amount.ts';

const SAYS = { valid: 'signed', forged: 'SIGNATURE DOES NOT HOLD', missing: 'not signed yet' } as const;

export function receiptText(signed: SignedReceipt): string {
  const { receipt } = signed;
  const { provider, buyer } = signaturesOf(signed);
  const { meters } = receipt;
  return renderFacts([
    ['Receipt', String(receipt.n)],
    ['Agreement', receipt.agreement],
    ['Ledger', oneLine(receipt.ledger, 128)],
    ['Provider', `${receipt.provider}, ${SAYS[provider]}`],
    ['Buyer', `${receipt.buyer}, ${SAYS[buyer]}`],
    ['Amount', `${moltText(receipt.cumulativeAmount)} in all`],
    ['Active', formatDuration(meters.activeMs)],
    ['CPU time', meters.cpuMs === undefined ? undefined : formatDuration(Number(meters.cpuMs))],
    ['GPU time', meters.gpuMs === undefined ? undefined : formatDuration(Number(meters.gpuMs))],
    ['Received', meters.bytesIn === undefined ? undefined : formatBytes(Number(meters.bytesIn))],
    ['Sent', meters.bytesOut === undefined ? undefined : formatBytes(Number(meters.bytesOut))],
    ['Health', receipt.health],
    ['Log', receipt.logRoot === NO_LOG_ROOT ? undefined : receipt.logRoot],
    ['Made', new Date(receipt.timeMs).toISOString()],
    ['After', receipt.n === 1 ? undefined : receipt.prevHash],
    ['Hash', receiptHash(receipt)],
  ]);
}

/** How it is asked about, and reported. */
export function receiptSentence({ receipt }: SignedReceipt, before: bigint | undefined): string {
  const { n, agreement, cumulativeAmount, meters, health } = receipt;
  const more = before === undefined ? '' : ` (${moltText(cumulativeAmount - before)} more than before)`;
  const how = health === 'ok' ? '' : `, ${health}`;
  const amount = `${moltText(cumulativeAmount)} in all${more}`;
  return `receipt ${n} of agreement ${agreement}: ${amount}, for ${formatDuration(meters.activeMs)} active${how}`;
}
