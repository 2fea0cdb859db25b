import type { Store } from '@clawbernetes/storage';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { blobOf } from './blob-of.ts';

const WRITER = fileURLToPath(new URL('./write-events.ts', import.meta.url));

/** Starts the writing child, kills it −9 once it has acknowledged `count` batches, answers what it did. */
export async function acknowledgedUntilKilled(
  engine: 'sqlite' | 'postgres',
  place: string,
  { first, count }: { readonly first: number; readonly count: number },
): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'claw-writer-'));
  // A file: what is written to it outlives the writer, and never blocks it.
  const path = join(folder, 'acknowledged');
  const output = await open(path, 'w');
  const args = ['--conditions=@clawbernetes/source', WRITER, engine, place, String(first)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', output.fd, 'inherit'] });
  const exited = once(child, 'exit');
  const acknowledged = async (): Promise<number[]> => {
    const lines = (await readFile(path, 'utf8')).split('\n');
    return lines.slice(0, -1).map(Number);
  };
  const polling = { timeout: 20_000, interval: 2 };
  await expect.poll(async () => (await acknowledged()).length, polling).toBeGreaterThanOrEqual(count);
  child.kill('SIGKILL');
  await exited;
  expect(child.signalCode).toBe('SIGKILL');
  const answer = await acknowledged();
  await output.close();
  await rm(folder, { recursive: true });
  return answer;
}

/**
 * Nothing acknowledged is missing, nothing is there by half, and no batch is there without those before it.
 */
export async function expectWhole(store: Store, acknowledged: readonly number[]): Promise<number> {
  const events = await store.rows.selectFrom('event').selectAll().orderBy('sequence').execute();
  const sequencesOf = (stream: string): unknown[] =>
    events.filter((row) => row['stream'] === stream).map((row): unknown => row['sequence']);
  const written = sequencesOf('one');
  expect(sequencesOf('two')).toEqual(written);
  expect(written).toEqual(written.map((_, index) => index));
  expect(acknowledged.filter((sequence) => sequence >= written.length)).toEqual([]);
  let records = 0;
  for await (const page of store.scan({ table: 'record' })) {
    for (const { sequence, body } of page) {
      expect(sequence).toBe(records);
      expect(Buffer.compare(body as Uint8Array, blobOf(records)), `blob ${records}`).toBe(0);
      records += 1;
    }
  }
  expect(records).toBe(written.length);
  const last = await store.rows.selectFrom('item').select('revision').executeTakeFirstOrThrow();
  expect(last['revision']).toBe(written.length - 1);
  return written.length;
}
