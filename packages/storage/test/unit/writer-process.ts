import type { Store } from '@clawbernetes/storage';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const WRITER = fileURLToPath(new URL('./write-events.ts', import.meta.url));

/**
 * Starts the writing child, kills it −9 once it has acknowledged `count` batches, answers what it
 * acknowledged.
 */
export async function acknowledgedUntilKilled(
  engine: 'sqlite' | 'postgres',
  place: string,
  { first, count }: { readonly first: number; readonly count: number },
): Promise<number[]> {
  const args = ['--conditions=@clawbernetes/source', WRITER, engine, place, String(first)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let printed = '';
  child.stdout.on('data', (bytes: Buffer) => {
    printed += bytes.toString('latin1');
    if (printed.split('\n').length > count) child.kill('SIGKILL');
  });
  await Promise.all([exited, once(child.stdout, 'end')]);
  expect(child.signalCode).toBe('SIGKILL');
  return printed.slice(0, printed.lastIndexOf('\n')).split('\n').map(Number);
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
  const last = await store.rows.selectFrom('item').select('revision').executeTakeFirstOrThrow();
  expect(last['revision']).toBe(written.length - 1);
  return written.length;
}
