// Shows that client, orders and receipts run where nothing of Node is.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** In a process of its own: refuses every module of Node, then takes Node's globals away. */
const SCRIPT = `
import { registerHooks } from 'node:module';
const { stdout } = process;
const tryNode = () => import('node:os').then(() => 'loaded', () => 'refused');
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    if (found.url.startsWith('node:')) throw new Error(specifier + ' is of Node');
    return found;
  },
});
for (const name of ['process', 'Buffer', 'require', 'setImmediate']) delete globalThis[name];
const { openClient, orderText } = await import('@clawbernetes/sdk');
const { signOrder } = await import('@clawbernetes/sdk/signed-order');
const receipts = await import('@clawbernetes/sdk/receipts');
const { generateKeyPair, addressOf } = await import('@clawbernetes/identity');
const { systemRandom } = await import('@clawbernetes/kernel');
const [provider, buyer] = [generateKeyPair(systemRandom), generateKeyPair(systemRandom)];
const terms = { ledgerId: 'g', timeMs: 1, nonce: 1 };
const order = signOrder(buyer, { type: 'faucet', body: { amount: '5' } }, terms);
const agreement = { agreement: '01'.repeat(16), buyer: addressOf(buyer.publicKey), rate: '1' };
const usage = { meters: { activeMs: 5 }, health: 'ok', logRoot: receipts.NO_LOG_ROOT };
const place = { ledgerId: 'g', agreement, before: undefined, timeMs: 5 };
const both = receipts.countersignReceipt(buyer, receipts.proposeReceipt(provider, place, usage));
stdout.write(JSON.stringify({
  node: await tryNode(),
  client: openClient({}, { url: 'http://127.0.0.1:1' }).url,
  order: JSON.parse(orderText(order)).signatures.length,
  receipt: receipts.signaturesOf(receipts.readSignedReceipt(receipts.receiptJson(both))),
}));
`;

test('everything', async () => {
  const conditions = ['--conditions=@clawbernetes/source', '--conditions=browser'];
  const args = [...conditions, '--input-type=module', '--eval', SCRIPT];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  expect(JSON.parse(stdout)).toEqual({
    node: 'refused',
    client: 'http://127.0.0.1:1',
    order: 1,
    receipt: { provider: 'valid', buyer: 'valid' },
  });
});
