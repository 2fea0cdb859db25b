// Child process of the kill tests: submits batches of four rows, one with a blob, without end and prints each
// one once acknowledged. Arguments: engine, place, first sequence.
import { seededRandom, silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { openPostgresStore, openSqliteStore, type Store } from '@clawbernetes/storage';
import { testSchema } from '@clawbernetes/storage/testing';
import { writeSync } from 'node:fs';
import { blobOf } from './blob-of.ts';

const IN_FLIGHT = 40;
const [engine = '', place = '', first = '0'] = process.argv.slice(2);
const store = await open();
const random = seededRandom(Number(first));
let next = Number(first);
await Promise.all(Array.from({ length: IN_FLIGHT }, writeForever));

async function writeForever(): Promise<never> {
  for (;;) {
    const sequence = next;
    next += 1;
    const body = 'x'.repeat(1 + Math.floor(300 * random.fraction()));
    await store.submit([
      { table: 'event', insert: { stream: 'one', sequence, body } },
      { table: 'event', insert: { stream: 'two', sequence, body } },
      { table: 'record', insert: { sequence, time_ms: 0, body: blobOf(sequence) } },
      { table: 'item', upsert: { id: 'last', state: 'x', revision: sequence } },
    ]);
    writeSync(1, `${sequence}\n`); // at once: what is buffered dies with the process
  }
}

function open(): Promise<Store> {
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  if (engine === 'sqlite') return openSqliteStore(deps, { path: place, schema: testSchema });
  return openPostgresStore(deps, { url: place, schema: testSchema, leaseMs: 1000, waitMs: 10_000 });
}
