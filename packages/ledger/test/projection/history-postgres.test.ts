// Shows that the history on PostgreSQL, in its own thread, is the plainest list that can be made from the
// journal, however often the server ends its connections in the middle of whatever they do.
import { seededRandom } from '@clawbernetes/kernel';
import { startTestPostgres, type TestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { compareHistory } from './compare-history.ts';
import { NaiveHistory } from './naive-history.ts';
import { onPostgres } from './projected-disks.ts';
import { ProjectedLedger } from './projected-ledger.ts';

const server = await startTestPostgres();
const missing = 'skipped' in server ? server.skipped : undefined;

describe.skipIf(missing !== undefined)(`on PostgreSQL${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  const postgres = server as TestPostgres;
  afterAll(() => postgres[Symbol.asyncDispose]());
  const seen = { segments: 0, withHeads: 0, expired: 0, checkpoints: 0 };

  it.each([0, 1, 2, 3])('seed %i', async (seed) => {
    const url = await postgres.createDatabase();
    const disk = onPostgres(postgres, url, `history "${seed}"`);
    const run = new ProjectedLedger(seed, [1, 20, 150, 5000][seed] ?? 1, () => disk);
    const naive = new NaiveHistory();
    const random = seededRandom(seed + 1000);
    await run.open();
    for (let round = 0; round < 4; round += 1) {
      await run.work(20 + Math.floor(random.fraction() * 60));
      if (round % 2 === 0) await compareHistory(run, naive, seed);
      await run.work(10);
      await run.crash();
    }
    await compareHistory(run, naive, seed);
    const segments = await run.segments();
    seen.segments += segments.length;
    seen.withHeads += segments.filter((row) => row['heads'] === 1).length;
    seen.expired += [...naive.byAccount.values()].flat().filter(({ effect }) => effect === 'expired').length;
    seen.checkpoints += (await run.checkpoints()).length;
    await run.close();
    expect(naive.count).toBeGreaterThan(0);
  });

  it('has met all that it was to meet', () => {
    expect(seen.segments).toBeGreaterThan(50);
    expect(seen.withHeads).toBeGreaterThan(2);
    expect(seen.expired).toBeGreaterThan(10);
    expect(seen.checkpoints).toBeGreaterThan(0);
  });

  it('a history that comes later than its ledger has everything from the beginning', async () => {
    const disk = onPostgres(postgres, await postgres.createDatabase(), 'later');
    const run = new ProjectedLedger(11, 30, () => disk);
    await run.open(false);
    await run.work(200);
    await run.settle();
    expect(await run.checkpoints()).not.toEqual([]);
    await run.crash();
    await compareHistory(run, new NaiveHistory(), 11);
    await run.work(50);
    await run.crash();
    await compareHistory(run, new NaiveHistory(), 12);
    await run.close();
  });
});
