import { accountId, ACCOUNT_KINDS, type AccountKind, type Ledger } from '@clawbernetes/ledger';

/** Accounts of an owner, as the API calls them. */
export const KIND_OF = {
  available: 'available',
  held: 'held',
  escrowed: 'locked',
  staked: 'stake',
  unbonding: 'unbonding',
} as const satisfies Record<string, AccountKind>;

export type OwnerAccount = keyof typeof KIND_OF;

const OWNED = Object.entries(KIND_OF) as readonly (readonly [OwnerAccount, AccountKind])[];
/** Kinds below this belong to owners; the others are the ledger's own. */
const FIRST_OWN_KIND = 100;
/** Names that are remembered before all are forgotten. */
const MAX_NAMES = 10_000;

/**
 * What the accounts are called that the owner deals with: those of the ledger by their kind, his own by what
 * they are for, those of others by their address as far as the jobs tell that are still remembered.
 */
export class AccountNames {
  readonly #asset: number;
  readonly #orders: Ledger['orders'];
  readonly #names = new Map<bigint, string>();

  constructor(owner: string, { orders }: Pick<Ledger, 'orders'>, asset: number) {
    this.#asset = asset;
    this.#orders = orders;
    for (const [kind, code] of Object.entries(ACCOUNT_KINDS))
      if (code >= FIRST_OWN_KIND) this.#names.set(accountId({ kind: kind as AccountKind }, asset), kind);
    for (const [name, kind] of OWNED) this.#names.set(accountId({ kind, owner }, asset), `own ${name}`);
  }

  /** Takes in the parties of a job. */
  learn(reference: bigint): void {
    if (reference === 0n || this.#names.size > MAX_NAMES) return;
    const id = reference.toString(16).padStart(32, '0');
    const parties = this.#orders.escrow(id) ?? this.#orders.agreement(id);
    if (!parties) return;
    for (const owner of [parties.buyer, parties.provider]) this.#learnOwner(owner);
  }

  of(account: bigint): string {
    return this.#names.get(account) ?? account.toString(16).padStart(32, '0');
  }

  #learnOwner(owner: string): void {
    for (const [, kind] of OWNED) {
      const id = accountId({ kind, owner }, this.#asset);
      if (!this.#names.has(id)) this.#names.set(id, owner);
    }
  }
}
