// Shows that an order counts only as written, signed by whom it needs, for this ledger, in time, once.
import { canonicalJson, MOLT, type Json } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasValidSignatures, orderFault, requiredSignatures } from '../../src/orders/order-signature.ts';
import { encodeOrder, readOrder } from '../../src/orders/order.ts';
import { accountId } from '../../src/orders/standard-accounts.ts';
import { encodeAccounts, RESULTS } from '../../src/index.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import { address, ASSET, keyOf, molt, OrderWorld, SETTINGS, type Name } from './order-world.ts';

const DAY_MS = 86_400_000;

function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value as Json));
}

describe('an order is refused', () => {
  const at = new OrderWorld();
  const fine = { type: 'faucet', body: { amount: '1' }, signatures: [] };

  test.each<[string, Uint8Array]>([
    ['order-malformed', new Uint8Array()],
    ['order-malformed', new TextEncoder().encode('{')],
    ['order-malformed', bytesOf([])],
    ['order-malformed', bytesOf('x')],
    ['order-malformed', bytesOf({ ...fine, more: 1 })],
    ['order-malformed', bytesOf({ ...fine, body: { amount: '1', to: 'x' } })],
    ['order-malformed', bytesOf({ ...fine, body: [] })],
    ['order-malformed', bytesOf({ ...fine, signatures: {} })],
    ['order-malformed', bytesOf({ ...fine, signatures: Array.from({ length: 41 }, () => ({})) })],
    ['order-malformed', bytesOf({ ...fine, body: { amount: '1', constructor: 'x' } })],
    ['order-malformed', new TextEncoder().encode(`${'['.repeat(20_000)}${']'.repeat(20_000)}`)],
    ['order-unknown', bytesOf({ ...fine, type: 'mint' })],
    ['order-unknown', bytesOf({ ...fine, type: 'constructor' })],
    ['order-unknown', bytesOf({ ...fine, type: 5 })],
    ['order-not-canonical', new TextEncoder().encode(JSON.stringify(fine))],
    ['order-not-canonical', new TextEncoder().encode(`${canonicalJson(fine)} `)],
    ['order-not-canonical', Uint8Array.of(0x22, 0xff, 0x22)],
    ['order-too-long', new Uint8Array(65_537)],
    ['amount-malformed', bytesOf({ ...fine, body: { amount: '01' } })],
    ['amount-zero', bytesOf({ ...fine, body: { amount: '0' } })],
    ['amount-too-large', bytesOf({ ...fine, body: { amount: (2n ** 63n).toString() } })],
    ['id-malformed', bytesOf({ ...fine, type: 'escrow-fund', body: { escrow: 'AB' } })],
    ['id-malformed', bytesOf({ ...fine, type: 'escrow-fund', body: { escrow: 'AB'.repeat(16) } })],
    ['id-malformed', bytesOf({ ...fine, type: 'escrow-fund', body: { escrow: 7 } })],
  ])('as %s', (code, bytes) => {
    expect(at.applyBytes(bytes)).toBe(code);
  });

  test('whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(at.applyBytes(bytes)).not.toBe('ok');
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(BODIES)), fc.json(), (type, json) => {
        const body = JSON.parse(json) as Json;
        expect(at.applyBytes(bytesOf({ type, body, signatures: [] }))).not.toBe('ok');
      }),
    );
  });
});

const BODIES = { 'escrow-create': 1, withdraw: 1, 'agreement-settle': 1, 'ledger-open': 1, deposit: 1 };

describe('a ledger', () => {
  test('is opened first, once, by nobody’s signature and with possible panels', () => {
    const at = new OrderWorld({ isOpen: false });
    expect(at.do('faucet', { amount: '1' }, ['buyer'])).toBe('ledger-not-open');
    expect(at.do('ledger-open', SETTINGS, ['buyer'])).toBe('signer-not-allowed');
    const council = { keys: [address('one')], threshold: 2 };
    expect(at.do('ledger-open', { ...SETTINGS, council }, [])).toBe('order-malformed');
    expect(at.do('ledger-open', SETTINGS, [])).toBe('ok');
    expect(at.do('ledger-open', { ...SETTINGS, network: 'main' }, [])).toBe('ledger-already-open');
    expect(at.orders.settings?.network).toBe('development');
  });

  test('does not take an account of somebody else’s for its own, and holds only so many', () => {
    const at = new OrderWorld();
    const owner = keyOf('other').publicKey;
    const id = accountId({ kind: 'available', owner: address('buyer') }, ASSET);
    const other = encodeAccounts([{ id, owner, floor: 0n, asset: ASSET, code: 1, flags: 0 }]);
    expect([...at.machine.openAccounts(other, owner)]).toEqual([RESULTS['not-authorized'].code]);
    expect([...at.machine.openAccounts(other)]).toEqual([0]);
    expect(at.do('faucet', { amount: '1' }, ['buyer'])).toBe('account-conflict');
    const full = new OrderWorld({ maxAccounts: 1 });
    expect(full.do('faucet', { amount: '1' }, ['buyer'])).toBe('ledger-full');
  });
});

test('an owner opens his account himself, once', () => {
  const at = new OrderWorld();
  expect(at.do('account-open', {}, [])).toBe('signature-missing');
  expect(at.do('account-open', {}, ['buyer'])).toBe('ok');
  expect(at.do('account-open', {}, ['buyer'])).toBe('ok');
  expect(at.machine.account(accountId({ kind: 'available', owner: address('buyer') }, ASSET))).toBeDefined();
  expect(at.machine.accountCount).toBe(1);
});

test('so many accounts are opened for nothing in 24 hours, and no more; who is paid has one', () => {
  const at = new OrderWorld({ settings: { maxDailyOpenings: 2 } });
  const open = (name: Name): string => at.do('account-open', {}, [name]);
  expect([open('buyer'), open('buyer'), open('other'), open('provider')]).toEqual([
    ...['ok', 'ok', 'ok'],
    'too-many-openings',
  ]);
  expect(open('buyer')).toBe('ok');
  at.give('one', 1);
  at.wait(DAY_MS - 1);
  expect(open('provider')).toBe('too-many-openings');
  at.wait(1);
  expect([open('one'), open('provider'), open('two'), open('three')]).toEqual([
    ...['ok', 'ok', 'ok'],
    'too-many-openings',
  ]);
  const restored = new OrderMachine(at.machine);
  restored.restore(at.orders.snapshot().bytes());
  at.orders = restored;
  expect(open('three')).toBe('too-many-openings');
});

test('the council replaces operators and itself, and the old ones have no say after', () => {
  const at = new OrderWorld();
  const panel = { keys: [address('one'), address('two')], threshold: 2 };
  expect(at.do('ledger-panel', { role: 'council', panel }, ['operator'])).toBe('signer-not-allowed');
  expect(at.do('ledger-panel', { role: 'council', panel: { ...panel, threshold: 3 } }, ['council'])).toBe(
    'order-malformed',
  );
  expect(at.do('ledger-panel', { role: 'council', panel }, ['council'])).toBe('ok');
  const operators = { role: 'operators', panel: { keys: [address('three')], threshold: 1 } };
  expect(at.do('ledger-panel', operators, ['council'])).toBe('signer-not-allowed');
  expect(at.do('ledger-panel', operators, ['one'])).toBe('signature-missing');
  expect(at.do('ledger-panel', operators, ['one', 'two'])).toBe('ok');
  const deposit = { deposit: at.id(), owner: address('buyer'), amount: '1', reference: 'x' };
  expect(at.do('deposit', deposit, ['operator'])).toBe('signer-not-allowed');
  expect(at.do('deposit', deposit, ['three'])).toBe('ok');
});

describe('a signature', () => {
  function world(): OrderWorld {
    const at = new OrderWorld();
    at.give('buyer', 100);
    return at;
  }
  const body = { amount: molt(1) };

  test('holds until the ms of its expiry, and not before it was made', () => {
    const at = world();
    const late = at.sign('buyer', 'stake-deposit', body, { expiresAtMs: at.timeMs + 10 });
    const last = at.sign('buyer', 'stake-deposit', body, { expiresAtMs: at.timeMs + 10 });
    at.wait(9);
    expect(at.apply('stake-deposit', body, [late])).toBe('ok');
    at.wait(1);
    expect(at.apply('stake-deposit', body, [last])).toBe('signature-expired');
    const future = { issuedAtMs: at.timeMs + 60_001, expiresAtMs: at.timeMs + 70_000 };
    expect(at.do('stake-deposit', body, ['buyer'], future)).toBe('signature-not-yet-valid');
    // The furthest that a clock may be ahead.
    const ahead = { ...future, issuedAtMs: at.timeMs + 60_000 };
    expect(at.do('stake-deposit', body, ['buyer'], ahead)).toBe('ok');
  });

  test('is for one ledger', () => {
    expect(world().do('stake-deposit', body, ['buyer'], { ledger: 'ledger-2' })).toBe('signature-foreign');
  });

  test('counts once: the same order again, the same signature in another, a nonce that was skipped', () => {
    const at = world();
    const first = at.sign('buyer', 'stake-deposit', body, { nonce: 5 });
    expect(at.apply('stake-deposit', body, [first])).toBe('ok');
    expect(at.apply('stake-deposit', body, [first])).toBe('order-repeated');
    expect(at.do('stake-deposit', body, ['buyer'], { nonce: 5, expiresAtMs: at.timeMs + 7 })).toBe(
      'nonce-replayed',
    );
    expect(at.do('stake-deposit', body, ['buyer'], { nonce: 4 })).toBe('nonce-out-of-order');
    expect(at.do('stake-deposit', body, ['buyer'], { nonce: 6 })).toBe('ok');
    expect(at.apply('stake-deposit', body, [first])).toBe('nonce-replayed');
    expect(at.balance('stake', 'buyer')).toBe(2n * MOLT);
  });

  test('is told from one that was skipped for 16 nonces', () => {
    const at = world();
    at.give('buyer', 100);
    const small = { amount: '1' };
    for (let nonce = 2; nonce <= 34; nonce += 2)
      expect(at.do('stake-deposit', small, ['buyer'], { nonce: 1000 + nonce })).toBe('ok');
    const code = (nonce: number): string =>
      at.do('stake-deposit', small, ['buyer'], { nonce: 1000 + nonce, expiresAtMs: at.timeMs + 7 });
    expect([2, 4, 5].map(code)).toEqual(['nonce-out-of-order', 'nonce-replayed', 'nonce-out-of-order']);
  });

  test('of an order that was refused can still be used', () => {
    const at = world();
    const big = { amount: molt(150) };
    const signed = at.sign('buyer', 'stake-deposit', big);
    expect(at.apply('stake-deposit', big, [signed])).toBe('insufficient-funds');
    at.do('faucet', { amount: molt(50) }, ['buyer'], { nonce: 0 });
    expect(at.apply('stake-deposit', big, [signed])).toBe('insufficient-funds');
  });

  test('has a nonce that is a whole number', () => {
    const at = world();
    const signed = at.sign('buyer', 'stake-deposit', body);
    for (const nonce of ['-1', '1.5', '01', '1e3', '9007199254740993', 'x'])
      expect(at.apply('stake-deposit', body, [{ ...signed, nonce }])).toBe('order-malformed');
  });

  test('about one thing does not wait for those about another, and is not freed by them', () => {
    const at = world();
    at.stake('provider', 100);
    const terms = { amount: '1000', deadlineMs: at.timeMs + 30 * 86_400_000 };
    const [one, two] = [at.funded(terms), at.funded(terms)];
    expect(at.do('escrow-release', { escrow: two, amount: '10' }, ['buyer'], { nonce: 900 })).toBe('ok');
    const part = { escrow: one, amount: '10' };
    const release = at.sign('buyer', 'escrow-release', part, {
      nonce: 800,
      expiresAtMs: at.timeMs + 30 * 86_400_000,
    });
    expect(at.apply('escrow-release', part, [release])).toBe('ok');
    // He takes the id of the escrow for a withdrawal, too, which is forgotten before the escrow.
    const away = { withdrawal: one, amount: '10', to: address('other'), speed: 'normal' };
    expect(at.do('withdraw', away, ['buyer'])).toBe('ok');
    expect(at.do('withdrawal-report', { withdrawal: one, status: 'failed' }, ['operator'])).toBe('ok');
    at.wait(7 * 86_400_000);
    expect(at.orders.withdrawal(one)).toBeUndefined();
    expect(at.apply('escrow-release', part, [release])).toBe('order-repeated');
  });

  test('is verified beside the machine: over type, body, ledger, nonce, times and signer', () => {
    const at = world();
    const order = (change: object, type: 'stake-deposit' | 'stake-withdraw' = 'stake-deposit') => {
      const signed = { ...at.sign('buyer', 'stake-deposit', body), ...change };
      return readOrder(encodeOrder({ type, body, signatures: [signed] }));
    };
    expect(hasValidSignatures(order({}))).toBe(true);
    expect(hasValidSignatures(order({}, 'stake-withdraw'))).toBe(false);
    for (const change of [
      { audience: 'ledger-2' },
      { nonce: '77' },
      { issuedAtMs: 1 },
      { expiresAtMs: at.timeMs + 1 },
      { signer: address('other') },
      { signature: 'AAAA' },
      { signature: '!' },
    ])
      expect(hasValidSignatures(order(change))).toBe(false);
    // The same 64 bytes, with other bits after their last.
    const { signature } = at.sign('buyer', 'stake-deposit', body);
    const last = signature.codePointAt(-1 + signature.length) ?? 0;
    const respelled = signature.slice(0, -1) + String.fromCodePoint(last + 1);
    expect(Buffer.from(respelled, 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
    const signed = { ...at.sign('buyer', 'stake-deposit', body), signature: respelled };
    const [required] = requiredSignatures(
      readOrder(encodeOrder({ type: 'stake-deposit', body, signatures: [signed] })),
    );
    expect(required?.signature).toEqual(new Uint8Array());
    const other = encodeOrder({
      type: 'stake-deposit',
      body: { amount: molt(2) },
      signatures: [at.sign('buyer', 'stake-deposit', body)],
    });
    expect(hasValidSignatures(readOrder(other))).toBe(false);
    expect(orderFault(other)).toBe('signature-forged');
    expect(orderFault(new Uint8Array())).toBe('order-malformed');
    expect(orderFault(encodeOrder({ type: 'stake-deposit', body, signatures: [] }))).toBeUndefined();
    expect(requiredSignatures(order({}))).toMatchObject([{ domain: 'ledger-order' }]);
  });
});
