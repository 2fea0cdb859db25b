import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { cliError, invalidArguments } from '../../errors.ts';
import { renderFacts } from '../../output/table.ts';
import { moltText, percentText, readMolt } from './molt-amount.ts';
import { Signer } from './signer.ts';
import type { SigningOptions } from './signing-options.ts';
import { readAddress } from './wallet-address.ts';

interface WithdrawOptions extends SigningOptions {
  readonly to: string;
  readonly all?: boolean;
  readonly instant?: boolean;
  readonly id?: string;
}

export async function withdraw({ context, operands: [text], options }: Call): Promise<void> {
  const given = options as WithdrawOptions;
  const { all = false, instant = false } = given;
  if ((text === undefined) !== all) throw invalidArguments('Name an amount, such as 12.5, or --all.');
  const asked = text === undefined ? undefined : readMolt(text);
  const to = readAddress(given.to);
  const signer = await Signer.open(context, given);
  const amount = asked ?? (await everything(signer));
  const withdrawal = given.id ?? signer.newId();
  const speed = instant ? 'instant' : 'normal';
  const question = `Withdraw ${moltText(amount)} of ${signer.address} to ${to}, ${await costs(signer, instant)}?`;
  const body = { withdrawal, amount: String(amount), to, speed };
  if (!(await signer.carryOut(question, { type: 'withdraw', body }))) return;
  const view = await signer.client.command('molt.withdrawal', { withdrawal });
  await context.print(view, () => withdrawalText(view));
}

export async function showWithdrawal({ context, operands: [withdrawal = ''] }: Call): Promise<void> {
  const client = await context.client();
  await printWithdrawal(context, await client.command('molt.withdrawal', { withdrawal }));
}

async function printWithdrawal(context: Context, view: CommandOutput<'molt.withdrawal'>): Promise<void> {
  await context.print(view, () => withdrawalText(view));
}

async function everything({ client, address: owner }: Signer): Promise<bigint> {
  const available = BigInt((await client.command('molt.balance', { owner })).available);
  if (available > 0n) return available;
  throw cliError('nothing-available', `${owner} has nothing available to withdraw.`);
}

async function costs({ client, address: owner }: Signer, instant: boolean): Promise<string> {
  if (!instant) return 'free of charge with the next batch';
  const { tier } = await client.command('molt.stake', { owner });
  return `at once for ${percentText(tier.instantFee)} of it`;
}

function withdrawalText(view: CommandOutput<'molt.withdrawal'>): string {
  const { withdrawal, amount, fee, to, speed, state, sendAtMs, reference } = view;
  return renderFacts([
    ['Withdrawal', withdrawal],
    ['State', state],
    ['Amount', moltText(amount)],
    ['Fee', fee === '0' ? undefined : `${moltText(fee)}, taken from it`],
    ['To', to],
    ['Sent', state === 'requested' ? `${speed}, from ${new Date(sendAtMs).toISOString()}` : speed],
    ['Reference', reference],
  ]);
}
