import { addressOf, parseKeyName, readKeyName } from '@clawbernetes/identity';
import {
  accountId,
  resultName,
  RESULTS,
  TIERS,
  type AuditReport,
  type Operation,
} from '@clawbernetes/ledger';
import { ORDER_RESULTS, type OrderResultName } from '@clawbernetes/orders';
import { MOLT_DECIMALS } from '@clawbernetes/kernel';
import { apiError, type CommandOutput, type CommandRequest } from '@clawbernetes/protocol';
import type { HandlerDeps, Handlers } from '../commands/handler-context.ts';
import { earnings } from './earnings.ts';
import { agreementView } from './agreement-view.ts';
import { listAgreements, listEscrows } from './owned.ts';
import { escrowView, stakeView, tierView, withdrawalView } from './settlement-views.ts';
import type { Settlement } from './settlement.ts';
import { statement } from './statement.ts';
import { useLedger } from './use-ledger.ts';

type SettlementCommand =
  | 'ledger.info'
  | 'ledger.submit'
  | 'ledger.order'
  | 'ledger.account'
  | 'ledger.audit'
  | 'ledger.operate'
  | 'ledger.withdrawals'
  | 'molt.balance'
  | 'molt.statement'
  | 'molt.earnings'
  | 'molt.escrow'
  | 'molt.escrows'
  | 'molt.agreement'
  | 'molt.agreements'
  | 'molt.stake'
  | 'molt.tiers'
  | 'molt.withdrawal';

export function settlementHandlers({
  settlement: source,
}: Pick<HandlerDeps, 'settlement'>): Handlers<SettlementCommand> {
  const use = <T>(work: (settlement: Settlement) => T | Promise<T>): Promise<T> => useLedger(source, work);
  return {
    'ledger.info': () => use(info),
    'ledger.submit': (request) => use((settlement) => submit(settlement, request)),
    'ledger.order': ({ order }) =>
      use(async (settlement) => outcome(await settlement.order(new TextEncoder().encode(order)))),
    'ledger.account': ({ account }) => use((settlement) => accountOf(settlement, account)),
    'ledger.audit': (request, { signal }) => use((settlement) => audit(settlement, request, signal)),
    'ledger.operate': (request) => use((settlement) => operate(settlement, request)),
    'ledger.withdrawals': (request) => use((settlement) => openWithdrawals(settlement, request)),
    'molt.balance': ({ owner }) => use((settlement) => balance(settlement, checkedAddress(owner))),
    'molt.statement': (request) =>
      use((settlement) => statement(settlement, { ...request, owner: checkedAddress(request.owner) })),
    'molt.earnings': (request) =>
      use((settlement) => earnings(settlement, { ...request, owner: checkedAddress(request.owner) })),
    'molt.escrow': ({ escrow: id }) =>
      use(async ({ ledger }) => {
        const view = await ledger.read(({ orders }) => {
          const escrow = orders.escrow(id);
          return escrow && escrowView(escrow, orders.claims(id));
        });
        return view ?? notFound('escrow', id);
      }),
    'molt.escrows': (request) =>
      use((settlement) => listEscrows(settlement, { ...request, owner: checkedAddress(request.owner) })),
    'molt.agreement': ({ agreement: id }) =>
      use(async ({ ledger }) => {
        const view = await ledger.read(({ orders }) => {
          const agreement = orders.agreement(id);
          return agreement && agreementView(agreement, orders, ledger.timeMs);
        });
        return view ?? notFound('agreement', id);
      }),
    'molt.agreements': (request) =>
      use((settlement) => listAgreements(settlement, { ...request, owner: checkedAddress(request.owner) })),
    'molt.stake': ({ owner }) =>
      use(({ ledger }) => {
        const address = checkedAddress(owner);
        return ledger.read(({ orders }) => stakeView(orders.stake(address)));
      }),
    'molt.tiers': () => use(() => ({ tiers: TIERS.map(tierView) })),
    'molt.withdrawal': ({ withdrawal: id }) =>
      use(async ({ ledger }) => {
        const withdrawal = await ledger.read(({ orders }) => orders.withdrawal(id));
        return withdrawalView(withdrawal ?? notFound('withdrawal', id));
      }),
  };
}

function info({ ledger, settings, storage, lag }: Settlement): CommandOutput<'ledger.info'> {
  const { operators, council } = settings;
  return {
    ledgerId: settings.ledger,
    network: settings.network,
    timeMs: ledger.timeMs,
    clockAheadMs: ledger.clockAheadMs,
    asset: { code: settings.asset, symbol: 'MOLT', decimals: MOLT_DECIMALS },
    sequence: ledger.sequence,
    accounts: ledger.accountCount,
    history: { lagFrames: lag.frames, lagMovements: lag.movements },
    operators: { ...operators, keys: [...operators.keys] },
    council: { ...council, keys: [...council.keys] },
    providerStake: String(settings.providerStake),
    faucetAmount: String(settings.faucetAmount),
    minDisputeDeposit: String(settings.minDisputeDeposit ?? 0n),
    minEscrow: String(settings.minEscrow ?? 0n),
    storage,
  };
}

async function submit(
  { ledger }: Settlement,
  request: CommandRequest<'ledger.submit'>,
): Promise<CommandOutput<'ledger.submit'>> {
  const { kind, items, nonce, expiresAtMs, signature } = request;
  const signer = parseKeyName(checkedAddress(request.signer));
  const authority = { signer, nonce, expiresAtMs, signature: decode(signature) };
  const operation: Operation = { kind, items: decode(items), authority };
  const results = Array.from(await ledger.submit(operation), (code) => resultName(code) ?? 'ok');
  const meanings = Object.fromEntries([...new Set(results)].map((name) => [name, RESULTS[name].says]));
  return { results, meanings };
}

/** Where an outside payment is booked already, the answer names the deposit. */
async function operate(
  settlement: Settlement,
  { type, body }: CommandRequest<'ledger.operate'>,
): Promise<CommandOutput<'ledger.operate'>> {
  const { result, says } = outcome(await settlement.operate(type, body));
  const { reference } = body;
  if (result !== 'reference-used' || typeof reference !== 'string') return { result, says };
  const first = await settlement.ledger.read(({ orders }) => orders.depositOf(reference));
  return { result, says: first ? `${says} It is ${first.id}, for ${first.owner}.` : says };
}

function outcome(result: OrderResultName): CommandOutput<'ledger.order'> {
  return { result, says: ORDER_RESULTS[result].says };
}

async function audit(
  { ledger, audits, settings }: Settlement,
  { audit: id, waitMs }: CommandRequest<'ledger.audit'>,
  signal: AbortSignal,
): Promise<CommandOutput<'ledger.audit'>> {
  const newest = await ledger.read(({ sequence }) => sequence);
  const run = id === undefined ? audits.start(newest) : (audits.find(id) ?? notFound('audit', id));
  await audits.wait(run, waitMs, { signal });
  const { report, through, startedAtMs, progress } = run;
  return {
    audit: run.id,
    ledgerId: settings.ledger,
    sequence: through,
    startedAtMs,
    progress,
    ...(report && { report: reportView(report) }),
  };
}

function reportView({ stateHash, totals, discrepancies }: AuditReport) {
  return { stateHash, totals: { ...totals, assets: [...totals.assets] }, discrepancies: [...discrepancies] };
}

/** In the order of their ids, which is that of their making. */
async function openWithdrawals(
  { ledger }: Settlement,
  { limit, cursor = '' }: CommandRequest<'ledger.withdrawals'>,
): Promise<CommandOutput<'ledger.withdrawals'>> {
  const all = await ledger.read(({ orders }) => [...orders.withdrawals()]);
  const open = all
    .filter(({ id, endedAtMs }) => endedAtMs === undefined && id > cursor)
    .toSorted((left, right) => (left.id < right.id ? -1 : 1));
  const page = open.slice(0, limit);
  const last = open.length > limit ? page.at(-1) : undefined;
  return { withdrawals: page.map(withdrawalView), ...(last && { next: last.id }) };
}

async function accountOf({ ledger }: Settlement, id: string): Promise<CommandOutput<'ledger.account'>> {
  const view = (await ledger.account(BigInt(`0x${id}`))) ?? notFound('account', id);
  return {
    account: id,
    asset: view.asset,
    code: view.code,
    frozen: view.frozen,
    floor: String(view.floor),
    debitsPosted: String(view.debitsPosted),
    creditsPosted: String(view.creditsPosted),
    debitsPending: String(view.debitsPending),
    creditsPending: String(view.creditsPending),
  };
}

/** What is reserved for a provider lies in the buyer's locked balance until it is released. */
async function balance(
  { ledger, settings }: Settlement,
  owner: string,
): Promise<CommandOutput<'molt.balance'>> {
  // At one time, or what is on its way from one to another is counted twice.
  const { available, held, locked, stake } = await ledger.read(({ orders, account }) => ({
    available: orders.balance({ kind: 'available', owner }),
    held: orders.balance({ kind: 'held', owner }),
    locked: account(accountId({ kind: 'locked', owner }, settings.asset)),
    stake: orders.stake(owner),
  }));
  const escrowed = locked ? locked.creditsPosted - locked.debitsPosted : 0n;
  const { staked, unbonding: parts } = stake;
  const unbonding = parts.reduce((sum, { amount }) => sum + amount, 0n);
  const total = available + held + escrowed + staked + unbonding;
  return {
    owner,
    available: String(available),
    held: String(held),
    escrowed: String(escrowed),
    staked: String(staked),
    unbonding: String(unbonding),
    total: String(total),
  };
}

/** An address in its one spelling. @throws CodedError `invalid-input`. */
function checkedAddress(text: string): string {
  const key = readKeyName(text);
  if (key && addressOf(key) === text) return text;
  const message = `"${text}" is not an address: it is the base58 of the 32 bytes of a public key. Compare it again.`;
  throw apiError('invalid-input', message);
}

function notFound(what: string, id: string): never {
  const message = `This ledger has no ${what} ${id}, or forgot it some time after it ended.`;
  throw apiError('not-found', message);
}

function decode(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'));
}
