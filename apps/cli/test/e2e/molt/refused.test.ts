// Shows that what is wrong with a command about money – amounts, addresses, ledgers, passphrases – is said
// with its exit code before anything moves.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedgerGateway, Stranger } from './ledger-gateway.ts';

let gateway: LedgerGateway;
let buyer: Stranger;
let provider: Stranger;
beforeAll(async () => {
  gateway = await LedgerGateway.open();
  buyer = await Stranger.open(gateway);
  provider = await Stranger.open(gateway);
  await buyer.does('molt', 'faucet', '1000');
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await buyer[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

describe('what is wrong is said before anything moves', () => {
  it.each([
    ['1e3', 'is not an amount'],
    ['１', 'is not an amount'],
    ['1.0000000001', 'more than 9 decimals'],
    ['1,5', 'is not an amount'],
    ['0', 'is nothing'],
    ['9223372036.854775808', 'more than a ledger can hold'],
    ['0x10', 'is not an amount'],
  ])('an amount of %s', async (amount, sentence) => {
    const refused = await buyer.signs('molt', 'withdraw', amount, '--to', provider.address);
    expect(refused).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining(sentence) });
  });

  it('a negative amount, an address that is none or the own, and too much', async () => {
    const cases: [number, string, string[]][] = [
      [5, 'is negative', ['escrow', 'create', '--provider', provider.address, '--amount', '-5']],
      [5, 'is not an address', ['withdraw', '1', '--to', 'not-an-address']],
      [5, 'Name another address', ['withdraw', '1', '--to', buyer.address]],
      [1, 'less than that available', ['withdraw', '1000.000000001', '--to', provider.address]],
      [4, 'has no escrow', ['escrow', 'show', '0'.repeat(32)]],
      [4, 'no such escrow', ['escrow', 'release', '0'.repeat(32)]],
      [1, 'not gw-elsewhere', ['withdraw', '1', '--to', provider.address, '--ledger', 'gw-elsewhere']],
    ];
    for (const [code, sentence, args] of cases) {
      const refused =
        args[1] === 'show' ? await buyer.run('molt', ...args) : await buyer.signs('molt', ...args);
      expect(refused).toMatchObject({ code, stderr: expect.stringContaining(sentence) });
    }
    expect((await buyer.balance()).available).toBe('1000000000000');
  });

  it('a wrong passphrase, no passphrase, and no word of yes', async () => {
    const withdraw = ['molt', 'withdraw', '1', '--to', provider.address];
    const wrong = path.join(gateway.home, 'gateway', 'owner.token');
    const token = (await readFile(wrong, 'utf8')).trim();
    const refused = await buyer.run(...withdraw, '--yes', '--passphrase-file', wrong);
    expect(refused.code).toBe(3);
    expect(refused.stderr).not.toContain(token);
    expect(await buyer.run(...withdraw, '--yes')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('--passphrase-file'),
    });
    expect(await buyer.run(...withdraw)).toMatchObject({ code: 5, stderr: expect.stringContaining('--yes') });
    expect((await buyer.balance()).available).toBe('1000000000000');
  });

  it('with -f json as one object with code and exit code', async () => {
    const refused = await buyer.signs('molt', 'withdraw', '2000', '--to', provider.address, '-f', 'json');
    expect(JSON.parse(refused.stderr)).toMatchObject({
      error: { code: 'insufficient-funds', exitCode: 1, message: expect.stringContaining('available') },
    });
  });
});
