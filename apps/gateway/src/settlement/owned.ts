import type { Escrow } from '@clawbernetes/ledger';
import type { CommandOutput, CommandRequest } from '@clawbernetes/protocol';
import { agreementView } from './agreement-view.ts';
import { escrowView } from './settlement-views.ts';
import type { Settlement } from './settlement.ts';

/** What one page looks at, at most, where most is filtered out: a few ms. */
const MAX_LOOKED_AT = 5000;

type EscrowItem = CommandOutput<'molt.escrows'>['escrows'][number];

export async function listEscrows(
  { ledger }: Settlement,
  { owner, state, role, limit, cursor }: CommandRequest<'molt.escrows'>,
): Promise<CommandOutput<'molt.escrows'>> {
  const { items, next } = await ledger.read(({ orders }) =>
    pageOf(orders.escrowsOf(owner, cursor), limit, (escrow) => {
      const isWanted = state === undefined || escrow.state === state;
      const roles = rolesOf(escrow, owner);
      return isWanted && (role === undefined || roles.includes(role)) ? itemOf(escrow, roles) : undefined;
    }),
  );
  return { owner, escrows: items, ...next };
}

export async function listAgreements(
  { ledger }: Settlement,
  { owner, funds, role, limit, cursor }: CommandRequest<'molt.agreements'>,
): Promise<CommandOutput<'molt.agreements'>> {
  const { items, next } = await ledger.read(({ orders }) =>
    pageOf(orders.agreementsOf(owner, cursor), limit, (agreement) => {
      if (role !== undefined && agreement[role] !== owner) return undefined;
      const view = agreementView(agreement, orders, ledger.timeMs);
      return funds === undefined || view.funds === funds ? view : undefined;
    }),
  );
  return { owner, agreements: items, ...next };
}

/** Where looking stopped is where the next page begins, be it full or not. */
function pageOf<Thing extends { readonly id: string }, View>(
  things: Iterable<Thing>,
  limit: number,
  view: (thing: Thing) => View | undefined,
): { readonly items: View[]; readonly next: { readonly next?: string } } {
  const items: View[] = [];
  let looked = 0;
  let last: string | undefined;
  for (const thing of things) {
    if (last !== undefined && (items.length >= limit || looked >= MAX_LOOKED_AT)) {
      return { items, next: { next: last } };
    }
    const found = view(thing);
    if (found !== undefined) items.push(found);
    looked += 1;
    last = thing.id;
  }
  return { items, next: {} };
}

function rolesOf({ buyer, provider, releaser, arbiters }: Escrow, owner: string): EscrowItem['roles'] {
  const has = {
    buyer: buyer === owner,
    provider: provider === owner,
    releaser: releaser === owner,
    arbiter: arbiters?.keys.includes(owner) === true,
  };
  return (['buyer', 'provider', 'releaser', 'arbiter'] as const).filter((role) => has[role]);
}

function itemOf(escrow: Escrow, roles: EscrowItem['roles']): EscrowItem {
  const { held: _, arbiters: _arbiters, dispute: _dispute, ...view } = escrowView(escrow, []);
  const { termsHash: _terms, resultHash: _result, ...item } = view;
  return { ...item, roles };
}
