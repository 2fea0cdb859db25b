import type { Call } from '../../declare/declaration.ts';
import { printBalance } from './balance.ts';
import { moltText, readMolt } from './molt-amount.ts';
import { Signer } from './signer.ts';
import type { SigningOptions } from './signing-options.ts';

const DEFAULT_AMOUNT = '1000';

export async function drawFromFaucet({ context, operands: [text], options }: Call): Promise<void> {
  const amount = readMolt(text ?? DEFAULT_AMOUNT);
  // Nothing is spent, so nobody is asked.
  const signer = await Signer.open(context, { ...(options as SigningOptions), yes: true });
  const { client, info, address: owner } = signer;
  const order = { type: 'faucet', body: { amount: String(amount) } };
  if (!(await signer.carryOut(`Draw ${moltText(amount)}`, order))) return;
  await printBalance(context, info, await client.command('molt.balance', { owner }));
}
