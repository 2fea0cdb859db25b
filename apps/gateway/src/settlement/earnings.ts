import { accountId, MOVEMENT_KINDS, type AccountMovement, type MovementKind } from '@clawbernetes/ledger';
import type { CommandOutput, CommandRequest } from '@clawbernetes/protocol';
import type { Settlement } from './settlement.ts';

const PAGE = 500;
/** Movements that one answer is made of, at most. */
const MAX_MOVEMENTS = 50_000;
const MAX_JOBS = 1000;

const PAYMENTS = codes('escrow-release', 'stream-pay', 'dispute-split');
const FEES = codes('job-fee', 'job-fee-earned');
const RETURNS = codes('dispute-split');

interface JobEarnings {
  readonly reference: bigint;
  gross: bigint;
  fees: bigint;
  returned: bigint;
  lastMs: number;
}

/**
 * What came into the held balance of a provider, and what of it went to the treasury or back; what matures
 * from held to available is no movement of earnings.
 */
export async function earnings(
  settlement: Settlement,
  { owner, fromMs, toMs }: CommandRequest<'molt.earnings'>,
): Promise<CommandOutput<'molt.earnings'>> {
  const { ledger, settings } = settlement;
  await ledger.settled();
  const account = accountId({ kind: 'held', owner }, settings.asset);
  const period = { ...(fromMs !== undefined && { fromMs }), ...(toMs !== undefined && { toMs }) };
  const jobs = new Map<bigint, JobEarnings>();
  const isComplete = await eachMovement(settlement, { account, ...period }, (movement) =>
    count(jobs, account, movement),
  );
  const all = [...jobs.values()].filter(({ gross }) => gross > 0n);
  const sum = (part: 'gross' | 'fees' | 'returned'): bigint =>
    all.reduce((total, job) => total + job[part], 0n);
  const [gross, fees, returned] = [sum('gross'), sum('fees'), sum('returned')];
  const net = gross - fees - returned;
  const { held, available } = await ledger.read(({ orders }) => ({
    held: orders.balance({ kind: 'held', owner }),
    available: orders.balance({ kind: 'available', owner }),
  }));
  return {
    owner,
    gross: String(gross),
    fees: String(fees),
    returned: String(returned),
    net: String(net),
    jobs: all.length,
    average: String(all.length === 0 ? 0n : net / BigInt(all.length)),
    held: String(held),
    available: String(available),
    isComplete,
    byJob: all.slice(0, MAX_JOBS).map((job) => jobView(settlement, job)),
  };
}

/** The newest first. @returns whether there were no more. */
async function eachMovement(
  { history }: Settlement,
  { account, ...period }: { readonly account: bigint; readonly fromMs?: number; readonly toMs?: number },
  look: (movement: AccountMovement) => void,
): Promise<boolean> {
  let after: number | undefined;
  for (let seen = 0; seen < MAX_MOVEMENTS; seen += PAGE) {
    const place = after === undefined ? {} : { after };
    const { movements, next } = await history.account(account, { ...period, ...place, limit: PAGE });
    for (const movement of movements) look(movement);
    if (next === undefined) return true;
    after = next;
  }
  return false;
}

function count(
  jobs: Map<bigint, JobEarnings>,
  account: bigint,
  { effect, reference, amount, code, timeMs, creditAccount }: AccountMovement,
): void {
  if (effect !== 'moved' && effect !== 'posted') return;
  const before = jobs.get(reference);
  const job = before ?? { reference, gross: 0n, fees: 0n, returned: 0n, lastMs: timeMs };
  if (creditAccount === account && PAYMENTS.has(code)) job.gross += amount;
  else if (creditAccount !== account && FEES.has(code)) job.fees += amount;
  else if (creditAccount !== account && RETURNS.has(code)) job.returned += amount;
  else return;
  if (!before) jobs.set(reference, job);
}

function jobView(
  { ledger }: Settlement,
  { reference, gross, fees, returned, lastMs }: JobEarnings,
): CommandOutput<'molt.earnings'>['byJob'][number] {
  const job = reference.toString(16).padStart(32, '0');
  const buyer = (ledger.orders.escrow(job) ?? ledger.orders.agreement(job))?.buyer;
  const net = gross - fees - returned;
  return { job, ...(buyer !== undefined && { buyer }), net: String(net), fees: String(fees), lastMs };
}

function codes(...kinds: readonly MovementKind[]): ReadonlySet<number> {
  return new Set(kinds.map((kind) => MOVEMENT_KINDS[kind]));
}
