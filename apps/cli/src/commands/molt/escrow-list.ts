import type { CommandInput, CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { age } from '../../output/phrases.ts';
import { renderTable } from '../../output/table.ts';
import { alignedMolt } from './molt-amount.ts';
import { gather, remarkMore, type ListOptions } from './owned-pages.ts';
import { ownerOf } from './wallet-address.ts';

type Item = CommandOutput<'molt.escrows'>['escrows'][number];
type EscrowListOptions = ListOptions & Pick<CommandInput<'molt.escrows'>, 'state' | 'role'>;

export async function listEscrows({ context, operands: [address], options }: Call): Promise<void> {
  const { wallet, state, role, ...page } = options as EscrowListOptions;
  const owner = await ownerOf(context, wallet, address);
  const client = await context.client();
  const filter = { ...(state && { state }), ...(role && { role }) };
  const { items: escrows, next } = await gather(page, async (part) => {
    const answer = await client.command('molt.escrows', { owner, ...filter, ...part });
    return { items: answer.escrows, next: answer.next };
  });
  await context.print({ owner, escrows, ...(next !== undefined && { next }) }, () =>
    escrows.length === 0 ? '' : table(context, escrows, owner),
  );
  if (escrows.length === 0 && context.format === 'table') context.remark(`No escrows of ${owner}.`);
  remarkMore(context, ['molt escrow list', address], { state, role, cursor: next });
}

function table({ clock, columns }: Context, escrows: readonly Item[], owner: string): string {
  const [amounts, paid, locked] = (['amount', 'paid', 'remaining'] as const).map((part) =>
    alignedMolt(escrows.map((escrow) => escrow[part])),
  );
  return renderTable(
    ['ESCROW', 'STATE', 'ROLE', 'AMOUNT (MOLT)', 'PAID', 'LOCKED', 'AGE', 'WITH'],
    escrows.map(({ escrow, state, roles, createdAtMs, buyer, provider }, index) => [
      escrow,
      state,
      // Most buyers release themselves.
      roles.filter((role) => role !== 'releaser' || roles.length === 1).join('+'),
      amounts?.[index] ?? '',
      paid?.[index] ?? '',
      locked?.[index] ?? '',
      age(createdAtMs, clock.nowMs()),
      buyer === owner ? provider : buyer,
    ]),
    { columns, dispensable: ['AGE', 'ROLE', 'PAID', 'LOCKED'] },
  );
}
