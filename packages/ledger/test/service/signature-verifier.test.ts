// Shows that orders and requests are verified on all threads, and answered in the order in which they came.
import { generateKeyPair } from '@clawbernetes/identity';
import { seededRandom } from '@clawbernetes/kernel';
import { encodeOrder, signRequest, TransferBatch, type Operation } from '@clawbernetes/ledger';
import { signOrder } from '@clawbernetes/orders';
import { describe, expect, test } from 'vitest';
import { SignatureVerifier } from '../../src/service/signature-verifier.ts';

const LEDGER = 'ledger-1';
const KEY = generateKeyPair(seededRandom(1));
const OTHER = generateKeyPair(seededRandom(2));
const TIMES = { issuedAtMs: 1000, expiresAtMs: 61_000 };

function order(nonce: number, signer = KEY): Operation {
  const body = { amount: '1' };
  const signature = signOrder(signer, { type: 'faucet', body }, { ledger: LEDGER, nonce, ...TIMES });
  return { kind: 'orders', items: encodeOrder({ type: 'faucet', body, signatures: [signature] }) };
}

function forged(nonce: number): Operation {
  const body = { amount: '2' };
  const signature = signOrder(KEY, { type: 'faucet', body }, { ledger: LEDGER, nonce, ...TIMES });
  const items = encodeOrder({ type: 'faucet', body: { amount: '3' }, signatures: [signature] });
  return { kind: 'orders', items };
}

/** A request that takes long: as many transfers as go into one. */
function long(nonce: number): Operation {
  const batch = new TransferBatch();
  for (let id = 1n; id <= 8190n; id += 1n) batch.add({ id, amount: 1n, code: 1 });
  return signRequest(OTHER, {
    ...{ kind: 'transfers', items: batch.bytes },
    ...{ ledgerId: LEDGER, nonce, expiresAtMs: 61_000 },
  });
}

/** A lane that answers when it is told to. */
class HeldLane {
  isOver = false;
  readonly #asked: PromiseWithResolvers<boolean>[] = [];

  get load(): number {
    return this.#asked.length;
  }

  ask(): Promise<boolean> {
    const asked = Promise.withResolvers<boolean>();
    this.#asked.push(asked);
    return asked.promise;
  }

  answer(valid: boolean): void {
    this.#asked.shift()?.resolve(valid);
  }

  fail(): void {
    this.isOver = true;
    for (const { reject } of this.#asked.splice(0)) reject(new Error('The thread has ended.'));
  }

  async end(): Promise<void> {}
}

function heldVerifier(threads: number) {
  const lanes: HeldLane[] = [];
  const startThread = (): HeldLane => {
    const lane = new HeldLane();
    lanes.push(lane);
    return lane;
  };
  const verifier = new SignatureVerifier({ threads, startThread });
  const heard: string[] = [];
  const ask = (name: string): void => {
    verifier.verify(order(1), LEDGER).then(
      (valid) => heard.push(`${name} ${valid}`),
      () => heard.push(`${name} failed`),
    );
  };
  return { lanes, ask, heard };
}

/** All that is to be heard by now was heard. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

describe('requests', () => {
  test('are shared out: each goes to the thread with least to do, whoever signed it', async () => {
    const { lanes, ask, heard } = heldVerifier(3);
    for (const name of ['a', 'b', 'c', 'd']) ask(name);
    expect(lanes.map(({ load }) => load)).toEqual([2, 1, 1]);
    lanes[2]?.answer(true);
    ask('e');
    expect(lanes.map(({ load }) => load)).toEqual([2, 1, 1]);
    await quiet();
    expect(heard).toEqual([]);
  });

  test('are answered in the order in which they came, however the threads are done with them', async () => {
    const { lanes, ask, heard } = heldVerifier(3);
    for (const name of ['a', 'b', 'c', 'd']) ask(name);
    lanes[2]?.answer(true);
    lanes[1]?.answer(false);
    await quiet();
    expect(heard).toEqual([]);
    lanes[0]?.answer(true);
    await quiet();
    expect(heard).toEqual(['a true', 'b false', 'c true']);
    lanes[0]?.answer(true);
    await quiet();
    expect(heard).toEqual(['a true', 'b false', 'c true', 'd true']);
  });

  test('of a thread that fails are said to have failed in their turn, and another takes its place', async () => {
    const { lanes, ask, heard } = heldVerifier(2);
    for (const name of ['a', 'b']) ask(name);
    lanes[1]?.fail();
    await quiet();
    expect(heard).toEqual([]);
    ask('c');
    expect(lanes).toHaveLength(3);
    lanes[2]?.answer(true);
    lanes[0]?.answer(true);
    await quiet();
    expect(heard).toEqual(['a true', 'b failed', 'c true']);
  });
});

test('real threads keep the order of long and short requests, and tell the forged from the others', async () => {
  const verifier = new SignatureVerifier({ threads: 3 });
  const asked = Array.from({ length: 60 }, (_, index) => {
    if (index % 10 === 0) return long(index);
    return index % 7 === 0 ? forged(index) : order(index);
  });
  const heard: number[] = [];
  const verdicts = await Promise.all(
    asked.map(async (operation, index) => {
      const valid = await verifier.verify(operation, LEDGER);
      heard.push(index);
      return valid;
    }),
  );
  expect(heard).toEqual(asked.map((_, index) => index));
  expect(verdicts).toEqual(asked.map((_, index) => index % 10 === 0 || index % 7 !== 0));
  expect(await verifier.verify(long(1), 'ledger-2')).toBe(false);
  await verifier[Symbol.asyncDispose]();
  await expect(verifier.verify(order(1), LEDGER)).rejects.toThrow('no more');
});
