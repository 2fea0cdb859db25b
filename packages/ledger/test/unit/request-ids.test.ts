// Shows that an id is used once, by one signer for one request, and that no stranger can spoil it.
import { IDS_PER_MS, LedgerMachine, signerId, SignerIds, TRANSFER_FLAGS } from '@clawbernetes/ledger';
import { describe, expect, test } from 'vitest';
import {
  account,
  ALICE,
  ALICES,
  available,
  BOB,
  BOBS,
  fundedMachine,
  id,
  ISSUER,
  MALLORY,
  MALLORYS,
  NOBODY,
  open,
  ownId,
  START_MS,
  STRANGER,
  transfer,
  type Item,
} from './machine-fixture.ts';

const pay = (number: number | bigint, over: Partial<Item> = {}): Item => ({
  id: id(number),
  debitAccount: ALICES,
  creditAccount: BOBS,
  amount: 10n,
  ...over,
});

describe('a repeat', () => {
  test('of the same gets the same answer, and another body a conflict', () => {
    const machine = fundedMachine();
    expect(transfer(machine, [pay(1), pay(1), pay(1, { amount: 11n }), pay(1)])).toEqual([
      'ok',
      'ok',
      'id-conflict',
      'ok',
    ]);
    for (const other of [{ reference: 1n }, { code: 2 }, { flags: 2 }, { creditAccount: MALLORYS }])
      expect(transfer(machine, [pay(1, other)])).toEqual(['id-conflict']);
    expect(available(machine, BOBS)).toBe(110n);
  });

  test('of a failure fails as before, though it could be done now', () => {
    const machine = fundedMachine();
    const large = pay(1, { id: ownId(ALICE, 1), amount: 150n });
    expect(transfer(machine, [large], ALICE)).toEqual(['insufficient-funds']);
    transfer(machine, [{ id: id(2), debitAccount: ISSUER, creditAccount: ALICES, amount: 100n }]);
    expect(transfer(machine, [large], ALICE)).toEqual(['insufficient-funds']);
    expect(transfer(machine, [{ ...large, id: ownId(ALICE, 3) }], ALICE)).toEqual(['ok']);
  });

  test('by somebody else is no repeat: he is not told that it was done', () => {
    const machine = fundedMachine();
    const alices = pay(1, { id: ownId(ALICE, 1) });
    expect(transfer(machine, [alices], ALICE)).toEqual(['ok']);
    for (const signer of [BOB, STRANGER, NOBODY, undefined])
      expect(transfer(machine, [alices], signer)).toEqual(['id-conflict']);
    expect(transfer(machine, [pay(2)])).toEqual(['ok']);
    for (const signer of [ALICE, STRANGER])
      expect(transfer(machine, [pay(2)], signer)).toEqual(['id-conflict']);
    expect(available(machine, BOBS)).toBe(120n);
  });

  test('is told from a request that was made to look like it', () => {
    // Under multiply-and-shift hashes these two differ by nothing, whatever their seed.
    const twins = [1n, 1n | (1n << 127n)] as const;
    const machine = fundedMachine();
    open(
      machine,
      twins.map((twin) => account({ id: twin + 50n, owner: BOB })),
    );
    const amount = 5n;
    const first = pay(1, { creditAccount: twins[0] + 50n, amount, debitAccount: ISSUER });
    const forged = { ...first, creditAccount: twins[1] + 50n, amount: amount ^ 0x8004_0000n };
    expect(transfer(machine, [first, forged])).toEqual(['ok', 'id-conflict']);
  });
});

describe('strangers', () => {
  test.each<[string, Partial<Item>]>([
    ['from an account that does not exist', { debitAccount: 77n }],
    ['to an account that does not exist', { creditAccount: 77n }],
    ['from the account of somebody else', {}],
    [
      'as the end of what is not pending',
      { pendingId: id(5), creditAccount: 0n, flags: TRANSFER_FLAGS.post },
    ],
  ])('cannot use up an id %s', (_, over) => {
    for (const signer of [STRANGER, NOBODY]) {
      const machine = fundedMachine();
      const own = { id: ownId(signer, 1) };
      expect(transfer(machine, [pay(1, { ...over, ...own })], signer)).not.toEqual(['ok']);
      expect(machine.ids.size).toBe(fundedMachine().ids.size);
      expect(transfer(machine, [pay(1, own)])).toEqual(['ok']);
    }
  });

  test('who claim to be nobody own nothing and open nothing', () => {
    const machine = fundedMachine();
    expect(open(machine, [account({ id: 50n })], NOBODY)).toEqual(['not-authorized']);
    expect(transfer(machine, [{ ...pay(1), debitAccount: ISSUER }], NOBODY)).toEqual(['not-authorized']);
    expect(transfer(machine, [pay(2)], new Uint8Array())).toEqual(['not-authorized']);
  });

  test('open no account: none for others, none that may owe, and none at no cost', () => {
    const machine = fundedMachine();
    expect(
      open(
        machine,
        [
          account({ id: 50n, owner: ALICE }),
          account({ id: 51n, owner: MALLORY, floor: -1n }),
          account({ id: 52n, owner: MALLORY, floor: 5n }),
          account({ id: BOBS, owner: MALLORY }),
        ],
        MALLORY,
      ),
    ).toEqual(['not-authorized', 'not-authorized', 'account-by-order', 'id-conflict']);
    expect(open(machine, [account({ id: MALLORYS, owner: MALLORY })], MALLORY)).toEqual(['ok']);
  });
});

describe('the ids of a signer', () => {
  const own = (over: Partial<Item> = {}): Item => pay(0, { id: ownId(ALICE, 7), ...over });

  test('are all with his key in their middle, and nobody else uses them up', () => {
    const machine = fundedMachine();
    const before = machine.ids.size;
    const mallorys = own({ debitAccount: MALLORYS, creditAccount: ALICES });
    expect(transfer(machine, [mallorys], MALLORY)).toEqual(['id-foreign']);
    expect(machine.ids.size).toBe(before);
    expect(transfer(machine, [own()], ALICE)).toEqual(['ok']);
    const last = own({ id: signerId(START_MS + 60_000, ALICE, IDS_PER_MS - 1), amount: 1n });
    expect(transfer(machine, [last], ALICE)).toEqual(['ok']);
    expect(() => signerId(START_MS, ALICE, IDS_PER_MS)).toThrow(RangeError);
  });

  test('are made one after the other, also more than there are for one ms', () => {
    const ids = new SignerIds(ALICE);
    const made = Array.from({ length: IDS_PER_MS + 2 }, () => ids.next(START_MS));
    expect(made.every((one, index) => index === 0 || one > (made[index - 1] ?? one))).toBe(true);
    expect(made[0]).toBe(signerId(START_MS, ALICE, 0));
    expect(made.at(-1)).toBe(signerId(START_MS + 1, ALICE, 1));
    expect([ids.next(START_MS), ids.next(START_MS + 5)]).toEqual([
      signerId(START_MS + 1, ALICE, 2),
      signerId(START_MS + 5, ALICE, 0),
    ]);
  });

  test('differ from those of another in any of 64 bits', () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => 0x11 * (index + 1));
    const machine = fundedMachine();
    open(machine, [account({ id: 60n, owner: key })]);
    transfer(machine, [{ id: id(60), debitAccount: ISSUER, creditAccount: 60n, amount: 9n }]);
    const paid = own({ id: ownId(key, 1), debitAccount: 60n, amount: 1n });
    for (let bit = 16n; bit < 80n; bit += 1n)
      expect(transfer(machine, [{ ...paid, id: paid.id ^ (1n << bit) }], key)).toEqual(['id-foreign']);
    expect(transfer(machine, [paid], key)).toEqual(['ok']);
  });

  test('are the only ones in a chain, which fails as a whole', () => {
    const machine = fundedMachine();
    const chain = [own({ flags: TRANSFER_FLAGS.linked }), own({ id: ownId(BOB, 7) })];
    expect(transfer(machine, chain, ALICE)).toEqual(['linked-event-failed', 'id-foreign']);
    expect(available(machine, BOBS)).toBe(100n);
  });

  test('may be any to the ledger itself, and those of its orders are nobody else’s', () => {
    const machine = fundedMachine();
    expect(transfer(machine, [own()])).toEqual(['ok']);
    // One key in 2^32 has the mark of the ledger where its ids would be: it signs orders only.
    const marked = Uint8Array.from({ length: 32 }, (_, index) => (index >= 2 && index < 6 ? 0xff : 1));
    expect(transfer(machine, [own({ id: ownId(marked, 1) })], marked)).toEqual(['not-authorized']);
  });

  test('were any under the first rules, and what was answered then is answered again', () => {
    const machine = fundedMachine();
    machine.advance(START_MS, 1);
    expect(transfer(machine, [pay(1)], ALICE)).toEqual(['ok']);
    expect(open(machine, [account({ id: 50n, owner: ALICE })], ALICE)).toEqual(['ok']);
    machine.advance(START_MS + 1);
    expect(transfer(machine, [pay(1), pay(2)], ALICE)).toEqual(['ok', 'id-foreign']);
    const both = [account({ id: 50n, owner: ALICE }), account({ id: 51n, owner: ALICE })];
    expect(open(machine, both, ALICE)).toEqual(['ok', 'account-by-order']);
  });
});

describe('accounts that do not exist', () => {
  test('include the one of id zero, which is nobody', () => {
    const machine = fundedMachine();
    const before = [...machine.accounts()];
    expect(
      transfer(machine, [
        pay(1, { debitAccount: 0n }),
        pay(2, { creditAccount: 0n }),
        pay(3, { debitAccount: 0n, creditAccount: 0n }),
      ]),
    ).toEqual(['debit-account-not-found', 'credit-account-not-found', 'accounts-same']);
    expect([...machine.accounts()]).toEqual(before);
  });

  test('in an empty ledger are all', () => {
    const machine = new LedgerMachine({ seed: 3 }, { expectedIds: 0 });
    machine.advance(START_MS);
    expect(machine.account(1n)).toBeUndefined();
    expect(transfer(machine, [pay(1, { debitAccount: 0n })])).toEqual(['debit-account-not-found']);
  });
});

describe('the time inside an id', () => {
  test('may be a minute ahead', () => {
    const machine = fundedMachine();
    const ahead = (ms: number): Item => ({ ...pay(0), id: id(1, START_MS + ms) });
    expect(transfer(machine, [ahead(60_001), ahead(60_000)])).toEqual(['id-in-future', 'ok']);
    machine.advance(START_MS + 1);
    expect(transfer(machine, [ahead(60_001)])).toEqual(['ok']);
    expect(transfer(machine, [{ ...pay(0), id: (1n << 128n) - 1n }])).toEqual(['id-in-future']);
  });

  test('is too old once ids from before are forgotten, whether they are still held or not', () => {
    const machine = fundedMachine();
    const old = (number: number, over: Partial<Item> = {}): Item => pay(number, over);
    const reserved = old(2, { flags: TRANSFER_FLAGS.pending });
    const posted = old(3, { flags: TRANSFER_FLAGS.pending });
    const end = (number: number, pendingId: bigint, flags: number): Item => ({
      id: id(number, START_MS + 2),
      pendingId,
      flags,
    });
    transfer(machine, [old(1), reserved, posted, { ...end(4, posted.id, TRANSFER_FLAGS.post), id: id(4) }]);
    machine.advance(START_MS + 2);
    machine.forgetBefore(START_MS + 1);
    expect(transfer(machine, [old(1), old(1, { amount: 3n }), old(9), reserved])).toEqual([
      'id-too-old',
      'id-too-old',
      'id-too-old',
      'id-too-old',
    ]);
    // What is pending is never forgotten; what it became is.
    expect(
      transfer(machine, [end(5, posted.id, TRANSFER_FLAGS.void), end(6, reserved.id, TRANSFER_FLAGS.post)]),
    ).toEqual(['pending-not-found', 'ok']);
    machine.forgetBefore(0);
    expect(transfer(machine, [old(1)])).toEqual(['id-too-old']);
  });
});

describe('signed requests', () => {
  const signature = new Uint8Array(64).fill(7);
  const request = (nonce: number, expiresAtMs = START_MS) => ({
    signer: ALICE,
    nonce,
    expiresAtMs,
    signature,
  });
  const { ok, expired, used } = { ok: 0, expired: 30, used: 31 };

  test('count once and in order; the latest may be repeated word for word', () => {
    const machine = fundedMachine();
    expect(machine.requestFault(request(5))).toBe(ok);
    machine.noteRequest(request(5));
    expect(machine.requestFault(request(5))).toBe(ok);
    expect(machine.requestFault({ ...request(5), signature: new Uint8Array(64) })).toBe(used);
    expect(machine.requestFault(request(4))).toBe(used);
    expect(machine.requestFault(request(6))).toBe(ok);
    expect(machine.requestFault({ ...request(1), signer: BOB })).toBe(ok);
  });

  test('run out after their time, and at once if that is no number', () => {
    const machine = fundedMachine();
    expect(machine.requestFault(request(1, START_MS))).toBe(ok);
    expect(machine.requestFault(request(1, START_MS - 1))).toBe(expired);
    expect(machine.requestFault(request(1, NaN))).toBe(expired);
  });

  test.each([NaN, Infinity, 0.5, 2 ** 53, -0.1])('have a whole number as nonce, not %d', (nonce) => {
    expect(fundedMachine().requestFault(request(nonce))).toBe(used);
  });
});
