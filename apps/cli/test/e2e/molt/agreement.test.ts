// Shows that two strangers, each with a wallet and a machine of his own, run a lease by co-signed receipts
// that travel as files: one is lost, one late, one forged; the gateway is killed twice; and all accounts
// reconcile.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, runCli } from '../cli-process.ts';
import { LedgerGateway, Stranger } from './ledger-gateway.ts';

interface Agreement {
  readonly agreement: string;
  readonly state: string;
  readonly paid: string;
  readonly remaining: string;
  readonly refunded: string;
  readonly last?: { readonly n: number; readonly cumulativeAmount: string };
}

interface Statement {
  readonly opening: string;
  readonly closing: string;
  readonly movements: readonly { readonly kind: string; readonly amount: string; readonly fee: string }[];
}

const DAY_MS = 86_400_000;

let gateway: LedgerGateway;
let buyer: Stranger;
let provider: Stranger;
let other: Stranger;
beforeAll(async () => {
  gateway = await LedgerGateway.open();
  [buyer, provider, other] = await Promise.all([
    Stranger.open(gateway),
    Stranger.open(gateway),
    Stranger.open(gateway),
  ]);
  await buyer.does('molt', 'faucet', '1000');
  await provider.does('molt', 'faucet', '200');
  await provider.does('molt', 'stake', 'deposit', '100');
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const stranger of [buyer, provider, other]) await stranger[Symbol.asyncDispose]();
});

/** A file that goes from one machine to another. */
function fileOf(stranger: Stranger, name: string): string {
  return path.join(stranger.home, name);
}

async function proposed(agreement: string, name: string): Promise<string> {
  const file = fileOf(provider, name);
  await provider
    .does('molt', 'receipt', 'propose', agreement)
    .then((signed) => writeFile(file, JSON.stringify(signed)));
  return file;
}

async function countersigned(file: string, name: string): Promise<string> {
  const signed = fileOf(buyer, name);
  const { code, stderr } = await buyer.signs('molt', 'receipt', 'countersign', file, '--save', signed);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return signed;
}

async function refused(
  who: Stranger,
  args: readonly string[],
  code: string,
  exitCode: number,
): Promise<void> {
  const asked = ['molt', ...args, '-f', 'json'];
  const { stderr, stdout } = args.includes('settle') ? await who.run(...asked) : await who.signs(...asked);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code, exitCode } });
  expect(stdout).toBe('');
}

/** Opening and movements make the closing, which is the balance. */
async function reconciled(who: Stranger, account: string): Promise<Statement> {
  const statement = await who.asks<Statement>('molt', 'statement', '--account', account);
  const sum = statement.movements.reduce(
    (total, { amount }) => total + BigInt(amount),
    BigInt(statement.opening),
  );
  expect(String(sum)).toBe(statement.closing);
  const balance: Readonly<Record<string, string>> = await who.balance();
  expect(balance[account]).toBe(statement.closing);
  return statement;
}

it('a lease is paid by what both have signed, whatever is lost, late, forged or killed', async () => {
  const agreement = await openLease('40');
  const { first, paid: before } = await settledWithOneLost(agreement);
  await refusedWhenLate(first);
  const third = await proposed(agreement, 'r3.json');
  await refusedWhenForged(agreement, third);
  const paid = await settledThroughPipes(third);
  expect(BigInt(paid)).toBeGreaterThan(BigInt(before));
  await closedByBoth(agreement, paid);
  await maturedAndReconciled(paid);
}, 240_000);

/** Opened by both: a third one has no say. */
async function openLease(amount: string): Promise<string> {
  const job = ['--provider', provider.address, '--amount', amount];
  const { escrow } = await buyer.does<{ escrow: string }>('molt', 'escrow', 'create', ...job);
  expect(
    await provider.asks('molt', 'escrow', 'list', '--role', 'provider', '--state', 'funded'),
  ).toMatchObject({
    escrows: [{ escrow, roles: ['provider'], buyer: buyer.address, remaining: '40000000000' }],
  });

  const order = fileOf(buyer, 'open.json');
  await refused(other, ['agreement', 'open', escrow, '--rate', '36/h', '--save', order], 'not-a-party', 3);
  const terms = ['--rate', '36/h', '--window', '10s', '--save', order];
  const made = await buyer.does<{ agreement: string }>('molt', 'agreement', 'open', escrow, ...terms);
  const { agreement } = made;
  await refused(other, ['sign', order], 'signer-not-allowed', 3);
  await provider.does('molt', 'sign', order);
  expect(await buyer.asks('molt', 'agreement', 'list')).toMatchObject({
    agreements: [{ agreement, state: 'open' }],
  });
  await refused(buyer, ['escrow', 'release', escrow], 'escrow-streaming', 1);
  return agreement;
}

/** The first is countersigned and not settled; the second pays for both, whatever is killed between. */
async function settledWithOneLost(agreement: string): Promise<{ first: string; paid: string }> {
  const first = await countersigned(await proposed(agreement, 'r1.json'), 'c1.json');
  const secondProposed = await proposed(agreement, 'r2.json');
  await gateway.kill();
  await gateway.startAgain();
  const second = await countersigned(secondProposed, 'c2.json');
  const settled = await provider.asks<Agreement>('molt', 'receipt', 'settle', second);
  expect(settled.last?.n).toBe(2);
  expect(settled.paid).toBe(settled.last?.cumulativeAmount);
  expect(await buyer.asks('molt', 'receipt', 'settle', second)).toMatchObject({ paid: settled.paid });
  return { first, paid: settled.paid };
}

async function refusedWhenLate(first: string): Promise<void> {
  await refused(provider, ['receipt', 'settle', first], 'receipt-out-of-order', 1);
  await refused(buyer, ['receipt', 'countersign', fileOf(provider, 'r1.json')], 'receipt-out-of-order', 1);
}

/** More than was used, by somebody else, about something else. */
async function refusedWhenForged(agreement: string, third: string): Promise<void> {
  const text = await readFile(third, 'utf8');
  const forged = fileOf(other, 'forged.json');
  await writeFile(forged, text.replace(/"cumulativeAmount":"(\d+)"/, '"cumulativeAmount":"9$1"'));
  await refused(buyer, ['receipt', 'countersign', forged], 'signature-forged', 3);
  expect(await runCli(['molt', 'receipt', 'show', forged], { home: other.home })).toMatchObject({ code: 3 });
  await refused(other, ['receipt', 'propose', agreement], 'not-a-party', 3);
  await refused(other, ['receipt', 'countersign', third], 'signer-not-allowed', 3);
  await refused(provider, ['receipt', 'settle', third], 'signature-missing', 3);
  await writeFile(forged, text.replaceAll(agreement, '0'.repeat(32)));
  await refused(buyer, ['receipt', 'countersign', forged], 'not-found', 4);
  await writeFile(forged, text.replace(/"ledger":"[^"]*"/, '"ledger":"gw-elsewhere"'));
  await refused(buyer, ['receipt', 'countersign', forged], 'signature-foreign', 3);
  await writeFile(forged, '{');
  await refused(buyer, ['receipt', 'countersign', forged], 'file-unreadable', 1);
  await writeFile(forged, '{"receipt":{}}');
  await refused(buyer, ['receipt', 'countersign', forged], 'receipt-malformed', 1);
  await refused(buyer, ['receipt', 'countersign', third, '--max-active', '1ms'], 'receipt-time-wrong', 1);
}

/** As between programs. */
async function settledThroughPipes(third: string): Promise<string> {
  const text = await readFile(third, 'utf8');
  const piped = await buyer.pipes(text, 'molt', 'receipt', 'countersign', '-');
  expect(JSON.parse(piped.stdout)).toMatchObject({ buyerSignature: expect.any(String) });
  const last = await provider.pipes(piped.stdout, 'molt', 'receipt', 'settle', '-', '-f', 'json');
  return (JSON.parse(last.stdout) as Agreement).paid;
}

/** At once; what nobody claimed goes back. */
async function closedByBoth(agreement: string, paid: string): Promise<void> {
  const close = fileOf(provider, 'close.json');
  expect(await provider.signs('molt', 'agreement', 'close', agreement, '--save', close)).toMatchObject({
    code: 0,
  });
  await buyer.does('molt', 'sign', close);
  const closed = await buyer.asks<Agreement>('molt', 'agreement', 'show', agreement);
  const refunded = String(40_000_000_000n - BigInt(paid));
  expect(closed).toMatchObject({ state: 'closed', paid, refunded, remaining: '0' });
  await refused(provider, ['receipt', 'propose', agreement], 'agreement-closed', 1);
}

/** A day later, what was held is the provider's. */
async function maturedAndReconciled(paid: string): Promise<void> {
  const { held, available } = await provider.balance();
  await gateway.kill();
  await gateway.startAgain({ laterMs: DAY_MS + 60_000 });
  await eventually(
    async () => (await provider.balance()).held === '0',
    () => 'nothing matured',
  );
  expect((await provider.balance()).available).toBe(String(BigInt(available) + BigInt(held)));
  const spent = await reconciled(buyer, 'available');
  expect(spent.closing).toBe(String(1_000_000_000_000n - BigInt(paid)));
  expect((await reconciled(buyer, 'escrowed')).closing).toBe('0');
  const earned = await reconciled(provider, 'held');
  const fees = earned.movements.reduce((sum, { fee }) => sum + BigInt(fee), 0n);
  await reconciled(provider, 'available');
  expect(BigInt(held) + fees).toBe(BigInt(paid));
  expect(await buyer.asks('ledger', 'audit')).toMatchObject({ discrepancies: [] });
}

it('what was signed for another day is signed again', async () => {
  const job = ['--provider', provider.address, '--amount', '5'];
  const { escrow } = await buyer.does<{ escrow: string }>('molt', 'escrow', 'create', ...job);
  const order = fileOf(buyer, 'late.json');
  await buyer.does('molt', 'agreement', 'open', escrow, '--rate', '1/h', '--save', order);
  await gateway.kill();
  await gateway.startAgain({ laterMs: 3 * DAY_MS });
  await refused(provider, ['sign', order], 'signature-expired', 3);
  expect(await buyer.asks('molt', 'escrow', 'show', escrow)).not.toHaveProperty('agreement');
}, 120_000);

it('funds are topped up by hand and by a signed limit, and lists go on by pages', async () => {
  const job = ['--provider', provider.address, '--amount', '1'];
  const { escrow } = await buyer.does<{ escrow: string }>('molt', 'escrow', 'create', ...job);
  const order = fileOf(buyer, 'lease.json');
  const opened = ['molt', 'agreement', 'open', escrow, '--rate', '4/h', '--save', order];
  const { agreement } = await buyer.does<{ agreement: string }>(...opened);
  await provider.does('molt', 'sign', order);
  expect(await buyer.asks('molt', 'agreement', 'show', agreement)).toMatchObject({
    funds: 'low',
    funded: '1000000000',
  });
  const shown = await buyer.run('molt', 'agreement', 'show', agreement);
  expect(shown.stdout).toMatch(/^Rate +4 MOLT\/h/m);
  expect(shown.stderr).toContain(`molt agreement top-up ${agreement}`);
  await refused(provider, ['agreement', 'top-up', agreement, '--amount', '1'], 'signer-not-allowed', 3);
  const topped = await buyer.does('molt', 'agreement', 'top-up', agreement, '--amount', '0.5');
  expect(topped).toMatchObject({ funded: '1500000000' });
  const limit = ['--each', '5', '--total', '10', '--for', '2d'];
  expect(await buyer.does('molt', 'agreement', 'auto-top-up', agreement, ...limit)).toMatchObject({
    funds: 'active',
    funded: '6500000000',
    topUp: { each: '5000000000', total: '10000000000', used: '5000000000' },
  });
  expect(await buyer.does('molt', 'agreement', 'auto-top-up', agreement, '--off')).not.toHaveProperty(
    'topUp',
  );

  const page = await buyer.run('molt', 'escrow', 'list', '--limit', '1');
  expect(page.stdout).toContain(escrow);
  const cursor = /--cursor ([0-9a-f]{32})/.exec(page.stderr)?.[1] ?? '';
  expect(cursor).toBe(escrow);
  const rest = await buyer.asks<{ escrows: { escrow: string }[] }>(
    'molt',
    'escrow',
    'list',
    '--cursor',
    cursor,
  );
  expect(rest.escrows.length).toBeGreaterThan(0);
  expect(rest.escrows.every((each) => each.escrow < escrow)).toBe(true);
  await refused(buyer, ['escrow', 'list', '--limit', '0'], 'invalid-arguments', 5);
  await refused(buyer, ['agreement', 'open', escrow, '--rate', '1', '--save', order], 'invalid-arguments', 5);
}, 120_000);
