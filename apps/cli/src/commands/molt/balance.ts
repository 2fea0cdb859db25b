import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { renderFacts } from '../../output/table.ts';
import { moltText } from './molt-amount.ts';
import { networkText } from './network-text.ts';
import { ownerOf } from './wallet-address.ts';

type Balance = CommandOutput<'molt.balance'>;
type Info = CommandOutput<'ledger.info'>;

export async function showBalance({ context, operands: [address], options }: Call): Promise<void> {
  const { wallet } = options as { readonly wallet: string };
  const owner = await ownerOf(context, wallet, address);
  const client = await context.client();
  const [info, balance] = await Promise.all([
    client.command('ledger.info', {}),
    client.command('molt.balance', { owner }),
  ]);
  await printBalance(context, info, balance);
}

export async function printBalance(context: Context, info: Info, balance: Balance): Promise<void> {
  const { network, ledgerId } = info;
  await context.print({ network, ledgerId, ...balance }, () => {
    const { owner, available, held, escrowed, staked, unbonding, total } = balance;
    const some = (amount: string, of: string): string | undefined =>
      amount === '0' ? undefined : `${moltText(amount)}  ${context.terminal.colours.dim(of)}`;
    return renderFacts([
      ['Owner', owner],
      ['Network', networkText(context, info)],
      ['Available', moltText(available)],
      ['Held', some(held, 'earned, open to dispute for 24 h')],
      ['Escrowed', some(escrowed, 'locked for jobs that are not settled')],
      ['Staked', some(staked, 'see "molt stake status"')],
      ['Unbonding', some(unbonding, 'available after 7 days')],
      ['Total', moltText(total)],
    ]);
  });
}
