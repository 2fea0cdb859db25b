// Random orders for tests: most of them sensible, at times around those at which something is due.
import { MOLT, present, type Json, type Random } from '@clawbernetes/kernel';
import type { OrderType } from '@clawbernetes/orders';
import type { Escrow } from '../../src/orders/records.ts';
import { address, NAMES, type Name, type OrderWorld } from './order-world.ts';

const HOUR_MS = 3_600_000;
const TRADERS = ['buyer', 'provider', 'other'] as const satisfies readonly Name[];
type Chance = Pick<Random, 'fraction'>;

/** Does one thing after another in a world. */
export class RandomOrders {
  readonly #chance: Chance;
  readonly #at: OrderWorld;
  readonly #longestMs: number;

  /** @param longestMs that it waits at once. */
  constructor(chance: Chance, at: OrderWorld, longestMs = Infinity) {
    this.#longestMs = longestMs;
    this.#chance = chance;
    this.#at = at;
  }

  step(): void {
    const luck = this.#chance.fraction();
    if (luck < 0.2) this.#at.wait(this.#time());
    else if (luck < 0.24) this.#repeat();
    else if (luck < 0.26) this.#freeze();
    else if (luck < 0.36) this.#settle();
    else this.#order();
  }

  #order(): void {
    const plans = [
      () => this.#own(),
      () => this.#own(),
      () => this.#create(),
      () => this.#create(),
      () => this.#escrow(),
      () => this.#escrow(),
      () => this.#escrow(),
      () => this.#escrow(),
      () => this.#agreement(),
      () => this.#agreement(),
      () => this.#withdrawal(),
      () => this.#slash(),
    ];
    this.#pick(plans)();
  }

  /** Just before, at, or after the next thing that happens by itself; or any while. */
  #time(): number {
    const untilDue = this.#at.orders.nextDueMs - this.#at.timeMs;
    const times = [1, 60_000, HOUR_MS, 24 * HOUR_MS, 8 * 24 * HOUR_MS];
    if (Number.isFinite(untilDue) && untilDue > 1) times.push(untilDue - 1, untilDue, untilDue, untilDue + 1);
    return this.#pick(times.filter((time) => time <= this.#longestMs));
  }

  #own(): void {
    const name = this.#pick(TRADERS);
    const type = this.#pick(['faucet', 'faucet', 'stake-deposit', 'stake-withdraw'] as const);
    this.#do(type, { amount: this.#amount(type === 'faucet' ? 2000n : 400n) }, [name]);
  }

  #create(): void {
    const release = this.#pick(['single', 'both', 'arbiters', 'time-lock']);
    const buyer = this.#pick(TRADERS);
    const others = TRADERS.filter((name) => name !== buyer);
    const provider = this.#chance.fraction() < 0.97 ? this.#pick(others) : buyer;
    const slashable = this.#chance.fraction() < 0.3 ? this.#amount(50n) : undefined;
    const terms = this.#at.terms({
      escrow: this.#id(address(buyer)),
      buyer: address(buyer),
      provider: address(provider),
      amount: this.#amount(300n),
      release,
      releaser: release === 'single' ? address(buyer) : undefined,
      onDeadline: this.#pick(['release', 'refund']),
      slashable,
      ...(this.#chance.fraction() < 0.5 && { deadlineMs: this.#at.timeMs + 3 * HOUR_MS }),
    });
    this.#do('escrow-create', terms, slashable === undefined ? [buyer] : [buyer, provider]);
    const isMade = this.#at.orders.escrow(terms.escrow) !== undefined;
    if (isMade && this.#chance.fraction() < 0.8) this.#do('escrow-fund', { escrow: terms.escrow }, [buyer]);
  }

  #escrow(): void {
    const found = this.#chance.fraction() < 0.9 ? this.#openEscrow() : this.#anyOf(this.#at.orders.escrows());
    if (!found) return;
    const { id: escrow, remaining, dispute } = found;
    const [buyer, provider] = [nameOf(found.buyer), nameOf(found.provider)];
    const amount = this.#part(remaining);
    const orders: (() => void)[] = [
      () => this.#do('escrow-fund', { escrow }, [buyer]),
      () => this.#do('escrow-complete', { escrow }, [provider]),
      () => this.#do('escrow-release', { escrow, amount }, this.#releasers(found)),
      () => this.#do('escrow-release', { escrow }, this.#releasers(found)),
      () => this.#do('escrow-refund', { escrow }, [provider]),
      () => this.#do('escrow-dispute', { escrow, reason: 'x' }, [this.#pick([buyer, buyer, provider])]),
      () => this.#do('escrow-dispute', { escrow, reason: 'x', amount }, [buyer]),
    ];
    if (dispute && this.#chance.fraction() < 0.7) this.#resolve(found, dispute.amount);
    else this.#pick(orders)();
  }

  #openEscrow(): Escrow | undefined {
    const open = [...this.#at.orders.escrows()].filter(
      ({ endedAtMs, claims, dispute }) => endedAtMs === undefined || claims.length > 0 || dispute,
    );
    return this.#anyOf(open);
  }

  #resolve({ id: escrow }: Escrow, contested: bigint): void {
    const toBuyer = BigInt(this.#part(contested));
    const slash = this.#chance.fraction() < 0.8 ? '0' : this.#amount(40n);
    const split = { escrow, toBuyer: toBuyer.toString(), toProvider: (contested - toBuyer).toString() };
    this.#do('escrow-resolve', { ...split, slash, slashTo: this.#pick(['buyer', 'treasury']) }, [
      'two',
      'three',
    ]);
  }

  #releasers({ release, buyer, provider }: Escrow): readonly Name[] {
    if (release === 'arbiters') return ['one', 'three'];
    return release === 'both' ? [nameOf(buyer), nameOf(provider)] : [nameOf(buyer)];
  }

  #agreement(): void {
    const found = this.#anyOf(this.#at.orders.agreements());
    const escrow = this.#openEscrow();
    if (escrow && (!found || this.#chance.fraction() < 0.5)) {
      const rate = this.#pick(['1', '1234567890123456789', '50000000000000000000000000', '3'.repeat(28)]);
      const body = { agreement: this.#id(escrow.buyer), escrow: escrow.id, rate };
      this.#do('agreement-open', body, [nameOf(escrow.buyer), nameOf(escrow.provider)]);
      return;
    }
    if (!found) return;
    const [buyer, provider] = [nameOf(found.buyer), nameOf(found.provider)];
    const agreement = found.id;
    const limit = { agreement, each: this.#amount(5n), total: this.#amount(20n) };
    this.#pick([
      () => this.#do('agreement-top-up', { agreement, amount: this.#amount(20n) }, [buyer]),
      () => this.#do('agreement-auto-top-up', { ...limit, untilMs: this.#at.timeMs + 9 * HOUR_MS }, [buyer]),
      () => this.#do('agreement-close', { agreement }, [this.#pick([buyer, provider])]),
      () => this.#do('agreement-close', { agreement }, [buyer, provider]),
    ])();
  }

  #settle(): void {
    const found = this.#anyOf(this.#at.orders.agreements());
    if (!found) return;
    const { last, originMs, buyer, provider } = found;
    const spanMs = this.#at.timeMs - originMs - (last?.activeMs ?? 0);
    const activeMs = (last?.activeMs ?? 0) + Math.floor(spanMs * this.#pick([0, 0.5, 1, 1.01]));
    const n = (last?.n ?? 0) + this.#pick([0, 1, 1, 1, 5]);
    this.#at.settle(this.#at.receipt(found.id, Math.max(1, n), activeMs, { buyer, provider }));
  }

  #withdrawal(): void {
    const found = this.#anyOf(this.#at.orders.withdrawals());
    if (found && this.#chance.fraction() < 0.6) {
      const status = this.#pick(['sent', 'sent', 'confirmed', 'failed']);
      this.#do('withdrawal-report', { withdrawal: found.id, status }, ['operator']);
      return;
    }
    const [owner, to] = [this.#pick(TRADERS), address(this.#pick(NAMES))];
    const body = { withdrawal: this.#id(address(owner)), amount: this.#amount(100n), to };
    this.#do('withdraw', { ...body, speed: this.#pick(['normal', 'instant']) }, [owner]);
  }

  #slash(): void {
    const owner = address(this.#pick(TRADERS));
    this.#do('stake-slash', { owner, amount: this.#amount(20n), reason: 'x' }, ['council']);
  }

  #freeze(): void {
    const name = this.#pick(TRADERS);
    this.#at.freeze(this.#pick(['available', 'held']), name, this.#chance.fraction() < 0.2);
  }

  /** The same bytes again. */
  #repeat(): void {
    const orders = this.#at.history.filter((event) => 'bytes' in event);
    if (orders.length > 0) this.#at.applyBytes(this.#pick(orders).bytes);
  }

  /** Now and then somebody else signs, nobody does, or the signature is of the past. */
  #do(type: OrderType, body: Json, signers: readonly Name[]): void {
    const luck = this.#chance.fraction();
    if (luck > 0.98) this.#at.do(type, body, [this.#pick(NAMES)]);
    else if (luck > 0.97) this.#at.do(type, body, []);
    else if (luck > 0.96) this.#at.do(type, body, signers, { nonce: 3 });
    else if (luck > 0.95) this.#at.do(type, body, signers, { issuedAtMs: 1, expiresAtMs: this.#at.timeMs });
    else this.#at.do(type, body, [...new Set(signers)]);
  }

  /** A new id of the owner's; now and then somebody else's. */
  #id(owner: string): string {
    return this.#at.id(this.#at.timeMs, this.#chance.fraction() < 0.98 ? owner : address('council'));
  }

  /** Up to so many MOLT, in base units, or a tiny amount. */
  #amount(most: bigint): string {
    const unit = this.#pick([1n, MOLT, MOLT, MOLT + 1n]);
    return (1n + (most * unit * BigInt(Math.floor(this.#chance.fraction() * 1000))) / 1000n).toString();
  }

  #part(whole: bigint): string {
    return ((whole * BigInt(Math.floor(this.#chance.fraction() * 1001))) / 1000n).toString();
  }

  #anyOf<Item>(items: Iterable<Item>): Item | undefined {
    const all = [...items];
    return all.length === 0 ? undefined : this.#pick(all);
  }

  #pick<Item>(items: readonly Item[]): Item {
    const index = Math.min(items.length - 1, Math.floor(this.#chance.fraction() * items.length));
    return present(items[index], 'one of some');
  }
}

function nameOf(owner: string): Name {
  return present(
    NAMES.find((name) => address(name) === owner),
    'somebody known',
  );
}
