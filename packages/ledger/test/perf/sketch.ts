import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { openSqliteStore } from '@clawbernetes/storage';
import {
  encodeAccounts,
  Ledger,
  LEDGER_SCHEMA,
  NO_FLOOR,
  TransferBatch,
  TRANSFER_FLAGS,
} from '@clawbernetes/ledger';
const folder = mkdtempSync(join(tmpdir(), 'led-'));
const path = join(folder, 'ledger.sqlite');
const open = () =>
  openSqliteStore(
    { clock: systemClock, logger: silentLogger } as never,
    { path, schema: LEDGER_SCHEMA } as never,
  );
let store = await open();
const deps = {
  clock: systemClock,
  random: systemRandom,
  logger: { ...silentLogger, info: console.log, error: console.log },
} as never as { clock: typeof systemClock; random: typeof systemRandom; logger: typeof silentLogger };
let ledger = await Ledger.open({ ...deps, store }, { ledgerId: 'x', heldIds: Number(process.argv[3] ?? 5e5) });
const A = 10_000,
  B = 8190,
  N = Number(process.argv[2] ?? 100);
const owner = new Uint8Array(32);
for (let s = 0; s < A; s += 5000)
  await ledger.submit({
    kind: 'accounts',
    items: encodeAccounts(
      Array.from({ length: 5000 }, (_, i) => ({
        id: BigInt(s + i + 1),
        owner,
        floor: NO_FLOOR,
        asset: 1,
        code: 1,
        flags: 0,
      })),
    ),
  });
let id = 0;
const rnd = seededRandom(1);
const r = (n: number) => Math.floor(rnd.fraction() * n);
const t0 = performance.now();
let making = 0,
  bad = 0;
const flying: Promise<unknown>[] = [];
for (let b = 0; b < N; b++) {
  const m = performance.now();
  const now = BigInt(Date.now()) << 80n;
  const p = new TransferBatch(),
    q = new TransferBatch();
  for (let i = 0; i < B; i++) {
    const pid = now | (BigInt(r(2 ** 30)) << 40n) | BigInt(++id);
    const d = 1 + r(A);
    let c = 1 + r(A);
    if (c === d) c = (c % A) + 1;
    p.add({
      id: pid,
      debitAccount: BigInt(d),
      creditAccount: BigInt(c),
      amount: BigInt(1 + r(1000)),
      code: 1,
      flags: TRANSFER_FLAGS.pending,
    });
    q.add({
      id: now | (BigInt(r(2 ** 30)) << 40n) | BigInt(++id),
      pendingId: pid,
      code: 1,
      flags: TRANSFER_FLAGS.post,
    });
  }
  making += performance.now() - m;
  for (const x of [p, q])
    flying.push(
      ledger.submit({ kind: 'transfers', items: x.bytes }).then((codes) => {
        for (const c of codes) bad += c;
      }),
    );
  while (flying.length > 8) await flying.shift();
}
await Promise.all(flying);
const ms = performance.now() - t0;
console.log(
  `${Math.round((N * B) / ms)}k/s with making, ${Math.round((N * B) / (ms - making))}k/s without; making ${Math.round(making)} of ${Math.round(ms)} ms; bad ${bad}`,
);
console.log(await ledger.audit());
await ledger[Symbol.asyncDispose]();
await store[Symbol.asyncDispose]();
const t1 = performance.now();
store = await open();
ledger = await Ledger.open({ ...deps, store }, { ledgerId: 'x', heldIds: Number(process.argv[3] ?? 5e5) });
console.log('restart', Math.round(performance.now() - t1), 'ms', await ledger.audit());
await ledger[Symbol.asyncDispose]();
await store[Symbol.asyncDispose]();
rmSync(folder, { recursive: true });
