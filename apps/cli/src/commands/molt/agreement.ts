import { formatDuration, type Json } from '@clawbernetes/kernel';
import { affordableMs } from '@clawbernetes/sdk/receipts';
import type { Call } from '../../declare/declaration.ts';
import { cliError, invalidArguments } from '../../errors.ts';
import { printAgreement } from './agreement-view.ts';
import { moltText } from './molt-amount.ts';
import { remarkNext } from './next-steps.ts';
import { rateText } from './rate.ts';
import { Signer } from './signer.ts';
import type { SigningOptions } from './signing-options.ts';

interface OpenOptions extends SigningOptions {
  readonly rate: bigint;
  readonly window: number;
  readonly id?: string;
  readonly save: string;
}

/** Both parties sign: this one writes it for the other. */
export async function openAgreement({ context, operands: [escrow = ''], options }: Call): Promise<void> {
  const given = options as OpenOptions;
  const { rate, window: windowMs } = given;
  const signer = await Signer.open(context, given);
  const {
    state,
    buyer,
    provider,
    remaining,
    agreement: taken,
  } = await signer.client.command('molt.escrow', { escrow });
  if (signer.address !== buyer && signer.address !== provider)
    throw cliError(
      'not-a-party',
      `You are ${signer.address}; escrow ${escrow} is between ${buyer} and ${provider}.`,
    );
  if (state !== 'funded' || taken !== undefined)
    throw cliError(
      'escrow-unfit',
      taken === undefined
        ? `Escrow ${escrow} is ${state}; an agreement needs one that is funded and not completed.`
        : `Escrow ${escrow} pays agreement ${taken} already. Make another escrow for another agreement.`,
    );
  const agreement = given.id ?? signer.newId();
  const lasts = formatDuration(affordableMs(rate, BigInt(remaining)));
  const question =
    `Pay ${provider} ${rateText(rate)} out of escrow ${escrow}? ` +
    `Its ${moltText(remaining)} last for ${lasts}; only receipts that both have signed are paid.`;
  await signer.carryOut(question, {
    type: 'agreement-open',
    body: { agreement, escrow, rate: String(rate), windowMs },
  });
  const other = signer.address === buyer ? 'provider' : 'buyer';
  await context.print(
    { agreement, escrow, rate: String(rate), windowMs, file: given.save },
    () => `Agreement  ${agreement}`,
  );
  remarkNext(context, [`Once the ${other} has signed, see it with:`, `molt agreement show ${agreement}`]);
}

export async function showAgreement({ context, operands: [agreement = ''] }: Call): Promise<void> {
  const client = await context.client();
  await printAgreement(context, await client.command('molt.agreement', { agreement }));
}

export async function topUpAgreement(call: Call): Promise<void> {
  const [agreement = ''] = call.operands;
  const { amount } = call.options as SigningOptions & { readonly amount: bigint };
  const question = `Lock ${moltText(amount)} more for agreement ${agreement}?`;
  await change(call, 'agreement-top-up', { agreement, amount: String(amount) }, question);
}

interface AutoTopUpOptions extends SigningOptions {
  readonly each?: bigint;
  readonly total?: bigint;
  readonly for: number;
  readonly off?: boolean;
}

/** A standing permission of the buyer, or its end. */
export async function limitTopUps(call: Call): Promise<void> {
  const [agreement = ''] = call.operands;
  const { each, total, for: forMs, off = false } = call.options as AutoTopUpOptions;
  const isWhole = each !== undefined && total !== undefined;
  if (off === (each !== undefined || total !== undefined) || (!off && !isWhole))
    throw invalidArguments('Give --each and --total, or --off to end top-ups.');
  const body = { agreement, each: String(each ?? 0n), total: String(total ?? 0n) };
  const question = off
    ? `Add nothing more by itself to agreement ${agreement}?`
    : `Let the ledger add ${moltText(each ?? 0n)} to agreement ${agreement} whenever funds run low, ` +
      `${moltText(total ?? 0n)} at most, for ${formatDuration(forMs)}?`;
  await change(call, 'agreement-auto-top-up', body, question, (timeMs) => ({ untilMs: timeMs + forMs }));
}

/** One party starts it; both at once, by --save and sign, end it at once. */
export async function closeAgreement(call: Call): Promise<void> {
  const [agreement = ''] = call.operands;
  const { save } = call.options as SigningOptions;
  const when =
    save === undefined
      ? 'The last receipt is taken for an hour more; then'
      : 'Once the other party has signed, no receipt is taken any more, and';
  const question = `Close agreement ${agreement}? ${when} what was not paid goes back to the buyer.`;
  await change(call, 'agreement-close', { agreement }, question);
}

async function change(
  { context, options }: Call,
  type: string,
  body: { readonly agreement: string; readonly [field: string]: Json },
  question: string,
  timed: (timeMs: number) => { readonly [field: string]: Json } = () => ({}),
): Promise<void> {
  const signer = await Signer.open(context, options as SigningOptions);
  const order = { type, body: { ...body, ...timed(signer.info.timeMs) } };
  if (!(await signer.carryOut(question, order))) return;
  await printAgreement(context, await signer.client.command('molt.agreement', { agreement: body.agreement }));
}
