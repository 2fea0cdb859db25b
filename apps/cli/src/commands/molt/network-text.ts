import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';

/** Which network it is; what is worth nothing says so. */
export function networkText(
  { terminal: { colours } }: Context,
  { network, ledgerId }: Pick<CommandOutput<'ledger.info'>, 'network' | 'ledgerId'>,
): string {
  const label = network === 'main' ? network : colours.yellow(`${network}: these tokens are worth nothing`);
  return `${label}\nledger ${ledgerId}`;
}
