// Shows that a balance is of one time, however much is booked while it is read: what is on its way from one
// of the owner's accounts to another is counted once.
import { addressOf, generateKeyPair } from '@clawbernetes/identity';
import { MOLT, present, seededRandom, silentLogger, systemRandom } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { encodeOrder, HISTORY_SCHEMA, LEDGER_SCHEMA, type OrderDraft } from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import { signOrder } from '@clawbernetes/orders';
import { joinSchemas, MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { expect, test } from 'vitest';
import { settlementHandlers } from '../../src/settlement/settlement-handlers.ts';
import { Settlement } from '../../src/settlement/settlement.ts';

const LEDGER = 'gw-test';
const WHOLE = 1000n * MOLT;

async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('while stake is deposited and others book', async () => {
  const clock = new VirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const random = seededRandom(1);
  const disk = new MemoryDisk({ clock, random }, { minMs: 0, maxMs: 5 });
  const through = async <Result>(work: Promise<Result>): Promise<Result> => {
    let isDone = false;
    void Promise.allSettled([work]).then(() => {
      isDone = true;
    });
    for (let turn = 0; turn < 20_000; turn += 1) {
      await turns();
      if (isDone) return work;
      await clock.advance(1);
    }
    throw new Error('it takes time without end');
  };
  // Opened before anything waits for the clock: it loads a native module, which takes its own time.
  const schema = joinSchemas([LEDGER_SCHEMA, HISTORY_SCHEMA]);
  const store = await openMemoryStore({ clock }, disk, { schema });
  const openStore = () => Promise.resolve(store);
  const threads = new SameThread();
  const key = generateKeyPair(systemRandom);
  const deps = { clock, random, logger: silentLogger, key, openStore, storage: 'memory', threads };
  const settlement = await through(Settlement.open(deps, { ledgerId: LEDGER, network: 'development' }));
  const source = { current: () => settlement, status: () => ({ state: 'open' as const }) };
  const handlers = settlementHandlers({
    settlement: { ...source, figures: () => undefined, stopped: () => undefined },
  });
  const owner = generateKeyPair(systemRandom);
  const address = addressOf(owner.publicKey);
  let nonce = 0;
  const order = (type: string, amount: bigint): Promise<string> => {
    nonce += 1;
    const times = { issuedAtMs: clock.nowMs(), expiresAtMs: clock.nowMs() + 60_000 };
    const draft = { type, body: { amount: String(amount) } };
    const signature = signOrder(owner, draft, { ledger: LEDGER, nonce, ...times });
    return settlement.order(encodeOrder({ ...draft, signatures: [signature] } as OrderDraft));
  };
  expect(await through(order('faucet', WHOLE))).toBe('ok');
  const read = async (): Promise<string> => {
    const context = { signal: new AbortController().signal } as never;
    return present(await handlers['molt.balance']({ owner: address }, context), 'a balance').total;
  };
  const totals: Promise<string>[] = [];
  const outcomes: Promise<string>[] = [];
  for (let step = 0; step < 300; step += 1) {
    outcomes.push(order('stake-deposit', MOLT));
    totals.push(read());
    if (random.fraction() < 0.5) await clock.advance(random.fraction() * 3);
    else await turns();
  }
  expect(new Set(await through(Promise.all(totals)))).toEqual(new Set([String(WHOLE)]));
  expect(new Set(await through(Promise.all(outcomes)))).toEqual(new Set(['ok']));
  await through(settlement[Symbol.asyncDispose]());
});
