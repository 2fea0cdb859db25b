// A process that books transfers of one unit from account 1 to account 2, one id after the other, and prints
// each id once it was answered: node ledger-process.ts <store url> <first id> <requests at once>
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { encodeAccounts, Ledger, NO_FLOOR, TransferBatch } from '@clawbernetes/ledger';
import { openLedgerStore } from './open-ledger-store.ts';

const [url = '', first = '1', parallel = '4'] = process.argv.slice(2);
/** Small, so that checkpoints are frequent. */
const OPTIONS = { ledgerId: 'test', heldIds: 2000 };
const PER_REQUEST = 10;

const store = await openLedgerStore(url);
const deps = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
const ledger = await Ledger.open(deps, OPTIONS);
const owner = new Uint8Array(32);
const account = { owner, floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
await ledger.submit({
  kind: 'accounts',
  items: encodeAccounts([
    { id: 1n, ...account },
    { id: 2n, ...account },
  ]),
});
process.stdout.write('open\n');

let next = Number(first);
async function lane(): Promise<void> {
  for (;;) {
    const [from, batch] = [next, new TransferBatch(PER_REQUEST)];
    next += PER_REQUEST;
    for (let id = from; id < next; id += 1) batch.add(transferOf(id));
    const codes = await ledger.submit({ kind: 'transfers', items: batch.bytes });
    if (codes.some((code) => code !== 0)) throw new Error(`Codes ${codes.join()} for ids from ${from}.`);
    process.stdout.write(`${from}\n`);
  }
}

/** Made in 2026, so that no id is ahead of its time. */
function transferOf(id: number): Parameters<TransferBatch['add']>[0] {
  const made = BigInt(Date.UTC(2026, 0, 1)) << 80n;
  return { id: made | BigInt(id), debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 };
}

try {
  await Promise.all(Array.from({ length: Number(parallel) }, lane));
} catch (error) {
  process.stdout.write(
    `failed ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}\n`,
  );
  process.exitCode = 1;
}
await ledger[Symbol.asyncDispose]();
await Promise.resolve(store[Symbol.asyncDispose]()).catch(() => undefined);
