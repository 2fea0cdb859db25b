// Shows that the owner of a gateway acts as operator and council of its ledger by the real command:
// withdrawals are reported, deposits booked once, disputes without arbiters resolved, stake slashed.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli, type CliResult } from '../cli-process.ts';
import { LedgerGateway, Stranger } from './ledger-gateway.ts';

let gateway: LedgerGateway;
let owner: Stranger;
let other: Stranger;
beforeAll(async () => {
  gateway = await LedgerGateway.open();
  owner = await Stranger.open(gateway);
  other = await Stranger.open(gateway);
  await owner.does('molt', 'faucet', '200');
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

function operator(...args: string[]): Promise<CliResult> {
  return runCli(['ledger', ...args], { home: gateway.home });
}

it('a withdrawal is sent and confirmed, or comes back', async () => {
  const withdraw = ['molt', 'withdraw', '5', '--to', other.address, '--instant'];
  const { withdrawal } = await owner.does<{ withdrawal: string }>(...withdraw);
  expect((await operator('withdrawals')).stdout).toMatch(new RegExp(`${withdrawal} +requested +4\\.95 MOLT`));
  expect(await operator('report', withdrawal, 'sent')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('--yes'),
  });
  expect(await operator('report', withdrawal, 'lost', '--yes')).toMatchObject({ code: 1 });
  const sent = await operator('report', withdrawal, 'sent', '--reference', '=tx', '--yes');
  expect(sent).toMatchObject({ code: 0, stdout: expect.stringContaining('is sent') });
  expect((await operator('report', withdrawal, 'confirmed', '--yes')).code).toBe(0);
  expect((await operator('withdrawals')).stdout).toContain('No withdrawal is open');
  const second = await owner.does<{ withdrawal: string }>('molt', 'withdraw', '1', '--to', other.address);
  expect((await operator('report', second.withdrawal, 'failed', '--yes')).code).toBe(0);
  expect((await owner.balance()).available).toBe('195000000000');
});

it('a deposit is booked once', async () => {
  const id = ['--id', `${Date.now().toString(16).padStart(12, '0')}${'0'.repeat(20)}`];
  const deposit = ['deposit', other.address, '2.5', '--reference', 'tx-1', ...id, '--yes'];
  expect((await operator(...deposit)).code).toBe(0);
  expect(await operator(...deposit)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('has this id'),
  });
  expect((await other.balance()).available).toBe('2500000000');
});

it('a dispute that has no arbiters is for the council, and so is stake', async () => {
  await other.does('molt', 'faucet', '100');
  await other.does('molt', 'stake', 'deposit', '100');
  const job = ['--provider', other.address, '--amount', '4'];
  const { escrow } = await owner.does<{ escrow: string }>('molt', 'escrow', 'create', ...job);
  await owner.does('molt', 'escrow', 'dispute', escrow, '--reason', 'nothing came');
  const wrong = await operator('resolve', escrow, '--to-buyer', '4', '--to-provider', '1', '--yes');
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('what is contested') });
  const resolved = await operator('resolve', escrow, '--to-buyer', '4', '--to-provider', '0', '--yes');
  expect(resolved).toMatchObject({ code: 0, stdout: expect.stringContaining('resolved') });
  expect((await operator('slash', other.address, '40', '--reason', 'forged', '--yes')).code).toBe(0);
  expect(await other.balance()).toMatchObject({ staked: '60000000000' });
});
