import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';
import { oneLine } from '../../output/phrases.ts';
import { renderFacts } from '../../output/table.ts';
import { moltText } from './molt-amount.ts';

type Escrow = CommandOutput<'molt.escrow'>;

export async function printEscrow(context: Context, escrow: Escrow): Promise<void> {
  await context.print(escrow, () => escrowText(escrow));
}

function escrowText(escrow: Escrow): string {
  const { buyer, provider, amount, funded, paid, refunded, remaining, deadlineMs, onDeadline } = escrow;
  const some = (part: string): string | undefined => (part === '0' ? undefined : moltText(part));
  const atEnd = escrow.agreement === undefined ? onDeadline : 'its agreement closes';
  const isOver = escrow.endedAtMs !== undefined;
  return renderFacts([
    ['Escrow', escrow.escrow],
    ['State', escrow.state],
    ['Buyer', buyer],
    ['Provider', provider],
    ['Amount', moltText(amount)],
    ['Funded', some(funded)],
    ['Paid', some(paid)],
    ['Refunded', some(refunded)],
    ['Locked', some(remaining)],
    ['Held', escrow.held.map(heldText).join('\n')],
    ['Release', releaseText(escrow)],
    ['Deadline', isOver ? undefined : `${new Date(deadlineMs).toISOString()}, then ${atEnd}`],
    ['Dispute', disputeText(escrow.dispute)],
    ['Agreement', escrow.agreement],
  ]);
}

function heldText({ gross, fee, availableAtMs, contested }: Escrow['held'][number]): string {
  const net = moltText(BigInt(gross) - BigInt(fee));
  const when = contested ? 'contested' : `available ${new Date(availableAtMs).toISOString()}`;
  return `${net} for the provider (fee ${moltText(fee)}), ${when}`;
}

function releaseText({ release, releaser, arbiters, agreement }: Escrow): string {
  if (agreement !== undefined) return 'by receipts of its agreement';
  if (release === 'single') return `by ${releaser ?? '?'}`;
  if (release === 'both') return 'by buyer and provider together';
  if (release === 'arbiters' && arbiters) return `by ${arbiters.threshold} of\n${arbiters.keys.join('\n')}`;
  return 'by time alone';
}

function disputeText(dispute: Escrow['dispute']): string | undefined {
  if (!dispute) return undefined;
  const { amount, opener, reason } = dispute;
  return `${moltText(amount)}, opened by ${opener}: ${oneLine(reason, 200)}`;
}
