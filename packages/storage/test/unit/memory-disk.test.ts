// Shows that the simulated disk is deterministic, forgets or keeps a commit in flight at a crash, and can be
// slow or full.
import { errorCode, seededRandom } from '@clawbernetes/kernel';
import { MemoryDisk, openMemoryStore, type Store } from '@clawbernetes/storage';
import { testSchema } from '@clawbernetes/storage/testing';
import { describe, expect, it } from 'vitest';
import { HandClock } from './hand-clock.ts';

const event = (sequence: number) => [{ table: 'event', insert: { stream: 's', sequence } }];

async function sequences(store: Store): Promise<unknown[]> {
  const rows = await store.rows.selectFrom('event').select('sequence').orderBy('sequence').execute();
  return rows.map((row): unknown => row['sequence']);
}

/** Opens, acknowledges 0, crashes with 1 in flight and 2 waiting; answers all that could be seen. */
async function crashStory(seed: number): Promise<string> {
  const clock = new HandClock();
  const disk = new MemoryDisk({ clock, random: seededRandom(seed) }, { minMs: 1, maxMs: 10 });
  const store = await openMemoryStore({ clock }, disk, { schema: testSchema });
  const failures: string[] = [];
  store.onFailed((error) => failures.push(error.code));
  const first = store.submit(event(0));
  await clock.runUntil(first);
  const flying = store.submit(event(1)).then(() => 'ok', errorCode);
  await clock.settle();
  const waiting = store.submit(event(2)).then(() => 'ok', errorCode);
  await clock.settle();
  disk.crash();
  const outcomes = [await flying, await waiting, await store.submit([]).then(() => 'ok', errorCode)];
  const reading = await sequences(store).then(() => 'ok', errorCode);
  const reopened = await openMemoryStore({ clock }, disk, { schema: testSchema });
  const kept = await sequences(reopened);
  return JSON.stringify({ outcomes, reading, failures, kept, term: reopened.term, nowMs: clock.nowMs() });
}

describe('the simulated disk', () => {
  it('does the same for the same seed, and both things a crash can do over many seeds', async () => {
    const kept = new Set<string>();
    for (let seed = 0; seed < 20; seed += 1) {
      const story = await crashStory(seed);
      expect(await crashStory(seed)).toBe(story);
      expect(JSON.parse(story)).toMatchObject({
        outcomes: ['storage-failed', 'storage-failed', 'storage-failed'],
        reading: 'storage-failed',
        failures: ['storage-failed'],
        term: 2,
      });
      kept.add(/"kept":(\[[^\]]*\])/.exec(story)?.[1] ?? '');
    }
    expect([...kept].toSorted()).toEqual(['[0,1]', '[0]']);
  });

  it('is as slow as it is told to be', async () => {
    const clock = new HandClock();
    const disk = new MemoryDisk({ clock, random: seededRandom(1) }, { minMs: 1, maxMs: 1 });
    const store = await openMemoryStore({ clock }, disk, { schema: testSchema });
    await clock.runUntil(store.submit(event(0)));
    expect(clock.nowMs()).toBe(1);
    disk.setLatency({ minMs: 5000, maxMs: 5000 });
    await clock.runUntil(store.submit(event(1)));
    expect(clock.nowMs()).toBe(5001);
  });

  it('is as full as it is told to be', async () => {
    const clock = new HandClock();
    const disk = new MemoryDisk({ clock, random: seededRandom(1) });
    const store = await openMemoryStore({ clock }, disk, { schema: testSchema });
    disk.setFull(true);
    const refused = store.submit(event(0)).then(() => 'ok', errorCode);
    expect(await clock.runUntil(refused)).toBe('storage-full');
    await store[Symbol.asyncDispose]();
    await expect(openMemoryStore({ clock }, disk, { schema: testSchema })).rejects.toMatchObject({
      code: 'storage-full',
    });
    disk.setFull(false);
    const reopened = await openMemoryStore({ clock }, disk, { schema: testSchema });
    expect(await sequences(reopened)).toEqual([]);
  });
});
