// Shows earnings, statements and exports of the real command: sums reconcile, CSV is by RFC 4180 and safe to
// open in a spreadsheet even when the gateway is hostile, times are read as people write them.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli-process.ts';
import { LedgerGateway, Stranger } from './ledger-gateway.ts';

let gateway: LedgerGateway;
let buyer: Stranger;
let provider: Stranger;
let escrow: string;
beforeAll(async () => {
  gateway = await LedgerGateway.open();
  buyer = await Stranger.open(gateway);
  provider = await Stranger.open(gateway);
  await buyer.does('molt', 'faucet', '1000');
  await provider.does('molt', 'faucet', '100');
  await provider.does('molt', 'stake', 'deposit', '100');
  const job = ['--provider', provider.address, '--amount', '8'];
  ({ escrow } = await buyer.does<{ escrow: string }>('molt', 'escrow', 'create', ...job));
  await buyer.does('molt', 'escrow', 'release', escrow, '--amount', '6');
  await provider.does('molt', 'escrow', 'refund', escrow);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await buyer[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

describe('earnings', () => {
  it('are what was paid less its fees, in all and by job', async () => {
    const sums = { gross: '6000000000', fees: '150000000', net: '5850000000', jobs: 1, held: '5850000000' };
    expect(await provider.asks('molt', 'earnings')).toMatchObject(sums);
    const detailed = await provider.asks<object>('molt', 'earnings', '--detailed', '--since', '7d');
    expect(detailed).toMatchObject({ ...sums, byJob: [{ job: escrow, buyer: buyer.address }] });
    const table = await provider.run('molt', 'earnings', '--detailed');
    expect(table.stdout).toMatch(/Earned +5\.85 MOLT/);
    expect(table.stdout).toContain(escrow);
    expect(await buyer.asks('molt', 'earnings', provider.address)).toMatchObject(sums);
  });
});

describe('a statement', () => {
  it('goes from opening to closing', async () => {
    const { opening, closing, movements } = await buyer.asks<{
      opening: string;
      closing: string;
      movements: { kind: string; amount: string; balanceAfter: string }[];
    }>('molt', 'statement', '--since', '1h');
    expect(movements.map(({ kind, amount }) => [kind, amount])).toEqual([
      ['faucet', '1000000000000'],
      ['escrow-fund', '-8000000000'],
      ['escrow-refund', '2000000000'],
    ]);
    expect(movements.reduce((sum, { amount }) => sum + BigInt(amount), BigInt(opening))).toBe(
      BigInt(closing),
    );
    expect(movements.at(-1)?.balanceAfter).toBe(closing);
    expect((await buyer.balance()).available).toBe(closing);
  });
});

describe('an export', () => {
  it('has a row for each movement, the oldest first', async () => {
    const { stdout } = await buyer.run('molt', 'export', '--format', 'csv');
    const [head, ...rows] = stdout.split('\r\n').slice(0, -1);
    expect(head).toBe('time,kind,job,counterparty,amount,fee,balance after');
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z,faucet,,external,1000\.000000000,0\.000000000,1000\.0/,
    );
    expect(rows[1]).toContain(`,escrow-fund,${escrow},own escrowed,-8.000000000,`);
    const held = await provider.run('molt', 'export', '--account', 'held', '-f', 'json');
    expect(JSON.parse(held.stdout)).toMatchObject([
      { kind: 'escrow-release', job: escrow, counterparty: buyer.address, amount: '6.000000000' },
      { kind: 'job-fee', amount: '-0.150000000', fee: '0.150000000', balanceAfter: '5.850000000' },
    ]);
  });

  it('of a year without movements is a head line', async () => {
    expect((await buyer.run('molt', 'export', '--year', '1999')).stdout.split('\r\n')).toHaveLength(2);
  });

  it.each([
    ['--since', 'yesterday'],
    ['--since', '2026-02-30'],
    ['--until', '1.2.2026'],
    ['--year', '26'],
    ['--format', 'xlsx'],
    ['--account', 'all'],
  ])('with %s %s is refused with what to write instead', async (option, value) => {
    const refused = await buyer.run('molt', 'export', option, value);
    expect(refused).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('Write') });
  });

  it('holds no formula, whatever a gateway answers', async () => {
    const cells = ['=HYPERLINK("http://evil")', '+1', '@SUM(A1)', '-2+3'];
    const movements = cells.map((kind, number) => ({
      ...{ number, timeMs: 0, kind, job: '', counterparty: 'a,"b"' },
      ...{ amount: '-5', fee: '0', balanceAfter: '0' },
    }));
    const { owner, account } = { owner: buyer.address, account: 'available' };
    await using hostile = await answering({ owner, account, opening: '0', closing: '0', movements });
    const args = ['molt', 'export', buyer.address, '--gateway', hostile.url];
    const { stdout } = await runCli(args, { home: buyer.home });
    const rows = stdout.split('\r\n').slice(1, -1);
    expect(rows.toReversed().map((row) => row.split(',')[1])).toEqual([
      `"'=HYPERLINK(""http://evil"")"`,
      `'+1`,
      `'@SUM(A1)`,
      `'-2+3`,
    ]);
    for (const row of rows) expect(row).toContain('"a,""b""",-0.000000005,');
  });
});

/** A server that answers everything alike. */
async function answering(answer: object): Promise<AsyncDisposable & { readonly url: string }> {
  const server: Server = createServer((_request, response) => response.end(JSON.stringify(answer)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
