import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { count } from '../../output/phrases.ts';
import { renderFacts, renderTable } from '../../output/table.ts';
import { moltText, percentText, readMolt } from './molt-amount.ts';
import { Signer } from './signer.ts';
import type { SigningOptions } from './signing-options.ts';
import { ownerOf } from './wallet-address.ts';

type Stake = CommandOutput<'molt.stake'>;

export async function showStake({ context, operands: [address], options }: Call): Promise<void> {
  const { wallet } = options as { readonly wallet: string };
  const owner = await ownerOf(context, wallet, address);
  const client = await context.client();
  await printStake(context, await client.command('molt.stake', { owner }));
}

export async function depositStake({ context, operands: [text = ''], options }: Call): Promise<void> {
  const amount = readMolt(text);
  const signer = await Signer.open(context, options as SigningOptions);
  const question =
    `Stake ${moltText(amount)} of ${signer.address}? ` +
    'It comes back 7 days after you withdraw it, and can be slashed until then.';
  const order = { type: 'stake-deposit', body: { amount: String(amount) } };
  if (await signer.carryOut(question, order)) await printOwnStake(context, signer);
}

export async function withdrawStake({ context, operands: [text = ''], options }: Call): Promise<void> {
  const amount = readMolt(text);
  const signer = await Signer.open(context, options as SigningOptions);
  const question =
    `Take ${moltText(amount)} of ${signer.address} from stake? ` +
    'It is available in 7 days, and counts for the tier no more at once.';
  const order = { type: 'stake-withdraw', body: { amount: String(amount) } };
  if (await signer.carryOut(question, order)) await printOwnStake(context, signer);
}

export async function listTiers({ context }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('molt.tiers', {});
  await context.print(answer, () =>
    renderTable(
      ['TIER', 'STAKE', 'JOB FEE', 'INSTANT WITHDRAWAL', 'DISPUTE FEE'],
      answer.tiers.map(({ name, stake, jobFee, instantFee, disputeFee }) => [
        name,
        moltText(stake),
        ...[jobFee, instantFee, disputeFee].map(percentText),
      ]),
      { columns: context.columns },
    ),
  );
}

async function printOwnStake(context: Context, { client, address: owner }: Signer): Promise<void> {
  await printStake(context, await client.command('molt.stake', { owner }));
}

async function printStake(context: Context, stake: Stake): Promise<void> {
  await context.print(stake, () => {
    const { owner, staked, tier, unbonding, disputes } = stake;
    const fees = [
      `${percentText(tier.jobFee)} of a job`,
      `${percentText(tier.instantFee)} of an instant withdrawal`,
    ];
    return renderFacts([
      ['Owner', owner],
      ['Staked', moltText(staked)],
      ['Tier', tier.name],
      ['Fees', fees.join(', ')],
      [
        'Unbonding',
        unbonding
          .map(({ amount, untilMs }) => `${moltText(amount)} until ${new Date(untilMs).toISOString()}`)
          .join('\n'),
      ],
      [
        'Disputes',
        disputes === 0 ? undefined : `${count(disputes, 'dispute')} open: stake stays in its tier`,
      ],
    ]);
  });
}
