import { formatDuration } from '@clawbernetes/kernel';
import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';
import { renderFacts } from '../../output/table.ts';
import { moltText } from './molt-amount.ts';
import { remarkNext } from './next-steps.ts';
import { rateText } from './rate.ts';

export type AgreementView = CommandOutput<'molt.agreement'>;

/** With what to do about it now. */
export async function printAgreement(context: Context, agreement: AgreementView): Promise<void> {
  await context.print(agreement, () => agreementText(agreement));
  const steps = nextSteps(agreement);
  if (steps.length > 0) remarkNext(context, ...steps);
}

/** Several, as one document. */
export async function printAgreements(context: Context, agreements: readonly AgreementView[]): Promise<void> {
  await context.print({ agreements }, () => agreements.map(agreementText).join('\n\n'));
}

function agreementText(view: AgreementView): string {
  const { last, windowMs, timeMs, originMs, pausedMs, activeMs, state } = view;
  const [isOpen, isOver] = [state === 'open', state === 'closed'];
  return renderFacts([
    ['Agreement', view.agreement],
    ['State', stateText(view)],
    ['Buyer', view.buyer],
    ['Provider', view.provider],
    ['Escrow', view.escrow],
    ['Rate', `${rateText(view.rate)}, receipts due every ${formatDuration(windowMs)}`],
    [
      'Active',
      isOver ? undefined : `${formatDuration(activeMs)} since ${isoText(originMs)}${pausedText(pausedMs)}`,
    ],
    ['Funded', moltText(view.funded)],
    ['Paid', `${moltText(view.paid)}${last ? ` by receipt ${last.n}` : ', no receipt was settled yet'}`],
    ['Owed', isOver ? undefined : `${moltText(view.owed)}, supposing that it was active since`],
    ['Locked', view.remaining === '0' ? undefined : moltText(view.remaining)],
    ['Refunded', view.refunded === '0' ? undefined : moltText(view.refunded)],
    ['Funds last', isOpen ? horizonText(view) : undefined],
    ['Top-ups', isOpen ? topUpText(view) : undefined],
    ['Deadline', isOpen ? `${isoText(view.deadlineMs)}, then it closes` : undefined],
    ['As of', isoText(timeMs)],
  ]);
}

/** State of the agreement, and of its funds where they matter. */
export function stateText({ state, funds }: AgreementView): string {
  return state === 'open' ? funds : state;
}

/** For how much longer the funds last if it stays active. */
export function horizonText({ exhaustedAtMs, timeMs, funds }: AgreementView): string {
  const leftMs = exhaustedAtMs - timeMs;
  if (leftMs <= 0) return funds === 'frozen' ? 'used up; the data is kept for 24h' : 'used up';
  return `${formatDuration(leftMs)} more, until ${isoText(exhaustedAtMs)}`;
}

function topUpText({ topUp }: AgreementView): string | undefined {
  if (!topUp) return undefined;
  const { each, total, used, untilMs } = topUp;
  return `${moltText(each)} as funds run low; ${moltText(used)} of ${moltText(total)} used, until ${isoText(untilMs)}`;
}

function pausedText(pausedMs: number): string {
  return pausedMs === 0 ? '' : `, paused ${formatDuration(pausedMs)}`;
}

type Steps = readonly (readonly [why: string, command: string])[];

function nextSteps({ agreement: id, state, funds, closesAtMs, last }: AgreementView): Steps {
  if (state === 'closed') return [];
  if (state === 'closing' && closesAtMs !== undefined)
    return [
      [
        `It closes at ${isoText(closesAtMs)}. Until then the last receipt can be settled:`,
        'molt receipt settle <file>',
      ],
    ];
  if (funds !== 'active')
    return [
      [
        `Its funds are ${funds === 'frozen' ? 'used up' : 'low'}. The buyer adds some with:`,
        `molt agreement top-up ${id} --amount <molt>`,
      ],
    ];
  return last
    ? []
    : [['The provider claims what was used with:', `molt receipt propose ${id} --save receipt.json`]];
}

function isoText(timeMs: number): string {
  return timeMs > MAX_DATE_MS ? 'far away' : new Date(timeMs).toISOString();
}

/** What a Date can hold. */
const MAX_DATE_MS = 8.64e15;
