// Shows that a ledger which is closed while requests are on their way answers each of them, or says that it
// is closed; none waits for ever, and what was answered is in the journal.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateKeyPair } from '@clawbernetes/identity';
import { errorCode, seededRandom, systemClock } from '@clawbernetes/kernel';
import {
  encodeAccounts,
  NO_FLOOR,
  signerId,
  signRequest,
  TransferBatch,
  type Ledger,
  type Operation,
} from '@clawbernetes/ledger';
import { expect, it } from 'vitest';
import { openBook } from './open-book.ts';

const LEDGER = 'closing';
const REQUESTS = 200;

/** Of one unit each, by one signer or by the ledger itself. */
function requests(nowMs: number): readonly Operation[] {
  const key = generateKeyPair(seededRandom(1));
  const between = { debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 };
  return Array.from({ length: REQUESTS }, (_, nonce) => {
    const batch = new TransferBatch(1);
    batch.add({ id: signerId(nowMs, key.publicKey, nonce), ...between });
    const operation = { kind: 'transfers', items: batch.bytes } as const;
    if (nonce % 4 === 0) return operation;
    return signRequest(key, { ...operation, ledgerId: LEDGER, nonce, expiresAtMs: nowMs + 3_600_000 });
  });
}

async function openAccounts(ledger: Ledger): Promise<void> {
  const { publicKey: owner } = generateKeyPair(seededRandom(1));
  const facts = { owner, floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
  await ledger.submit({ kind: 'accounts', items: encodeAccounts([1n, 2n].map((id) => ({ id, ...facts }))) });
}

it('closes while signatures are verified and frames are stored', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'claw-closing-'));
  const place = path.join(folder, 'ledger.sqlite');
  const seen = { answered: 0, closed: 0 };
  for (let turns = 0; turns < 3; turns += 1) {
    const book = await openBook(`${place}-${turns}`, { ledgerId: LEDGER });
    await openAccounts(book.ledger);
    const operations = requests(systemClock.nowMs());
    const asked = operations.map((operation) =>
      book.ledger.submit(operation).then(([code = -1]) => code, errorCode),
    );
    // Ever later: while the threads start, while they verify, while frames are under way.
    await Promise.race([Promise.all(asked.slice(0, 50 * turns)), Promise.all(asked)]);
    await book.close();
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((outcome) => outcome !== 0 && outcome !== 'ledger-closed')).toEqual([]);
    const answered = outcomes.filter((outcome) => outcome === 0).length;
    const again = await openBook(`${place}-${turns}`, { ledgerId: LEDGER });
    expect(Number((await again.ledger.account(2n))?.creditsPosted)).toBeGreaterThanOrEqual(answered);
    await again.close();
    seen.answered += answered;
    seen.closed += outcomes.length - answered;
  }
  expect(Math.min(seen.answered, seen.closed)).toBeGreaterThan(0);
  await rm(folder, { recursive: true });
});
