// Shows that a reader is answered however much is booked meanwhile, sees all that was submitted before, and
// never what a crash could take back.
import { seededRandom } from '@clawbernetes/kernel';
import { expect, it } from 'vitest';
import { MemoryLedger } from './memory-ledger.ts';

it('a reader is answered while the queue is never empty', async () => {
  const run = new MemoryLedger({ framesInFlight: 2, frameBytes: 100 });
  const ledger = await run.open(await run.openStore());
  const stop = new AbortController();
  let acknowledged = 0;
  const clients = Array.from({ length: 12 }, async () => {
    while (!stop.signal.aborted) {
      expect(await run.submit(ledger, run.transfers(1))).toBe('ok');
      acknowledged += 1;
    }
  });
  let most = 0;
  for (let read = 0; read < 5; read += 1) {
    const before = acknowledged;
    const view = await run.through(ledger.account(2n));
    expect(Number(view?.creditsPosted)).toBeGreaterThanOrEqual(before);
    // It waits for those before it, which are 12 at most, and for what it has seen.
    most = Math.max(most, acknowledged - before);
  }
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(50);
  stop.abort();
  await run.through(Promise.all(clients));
});

it('a reader sees all that was submitted before him', async () => {
  const run = new MemoryLedger({ framesInFlight: 1, frameBytes: 100 });
  const ledger = await run.open(await run.openStore());
  for (let round = 1; round <= 3; round += 1) {
    const outcomes = Array.from({ length: 5 }, () => run.submit(ledger, run.transfers(1)));
    expect((await run.through(ledger.account(2n)))?.creditsPosted).toBe(BigInt(5 * round));
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['ok']));
  }
});

it('what a reader saw is kept from him while the disk holds it back', async () => {
  const run = new MemoryLedger();
  const ledger = await run.open(await run.openStore());
  const outcomes = [run.submit(ledger, run.transfers(1))];
  await run.turns();
  const answers: unknown[] = [];
  const note = (answer: unknown): number => answers.push(answer);
  const looks = [
    ledger.account(2n).then((view) => note(view?.creditsPosted)),
    ledger.read(({ sequence, account }) => [sequence, account(2n)?.creditsPosted]).then(note),
    ledger.audit().then(({ sequence }) => note(sequence)),
  ];
  // The first commit is under way and ends soon; each after it takes a minute, and has one frame.
  run.disk.setLatency({ minMs: 60_000, maxMs: 60_000 });
  const { sequence } = ledger;
  outcomes.push(run.submit(ledger, run.transfers(1)));
  await run.clock.advance(10);
  outcomes.push(run.submit(ledger, run.transfers(1)));
  await run.clock.advance(119_000);
  await expect(Promise.all(outcomes.slice(0, 2))).resolves.toEqual(['ok', 'ok']);
  // The reader waited for the second frame, when the third was booked: that is what he saw.
  expect({ answers, sequence: ledger.sequence }).toEqual({ answers: [], sequence: sequence + 2 });
  await run.clock.advance(2000);
  await Promise.all(looks);
  expect(answers).toEqual([3n, [sequence + 2, 3n], sequence + 2]);
  expect(await Promise.all(outcomes)).toEqual(['ok', 'ok', 'ok']);
});

it.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'what was seen survives a crash: seed %i',
  async (seed) => {
    const run = new MemoryLedger({ framesInFlight: 4, frameBytes: 200 });
    const random = seededRandom(seed);
    const ledger = await run.open(await run.openStore());
    let [seen, answered] = [0n, 0n];
    for (let step = 0; step < 40; step += 1) {
      const units = 1 + Math.floor(random.fraction() * 3);
      run.submit(ledger, run.transfers(units)).then(
        (outcome) => {
          if (outcome === 'ok') answered += BigInt(units);
        },
        () => undefined,
      );
      const look = (): void => {
        ledger.account(2n).then(
          (view) => {
            seen = view?.creditsPosted ?? 0n;
          },
          () => undefined,
        );
      };
      if (random.fraction() < 0.7) look();
      await run.turns(1);
      expect(answered).toBeGreaterThanOrEqual(seen);
      if (random.fraction() < 0.5) await run.clock.advance(random.fraction() * 6);
    }
    run.disk.crash();
    await run.clock.advance(50);
    const again = await run.open(await run.openStore());
    expect(seen).toBeGreaterThan(0n);
    const kept = (await run.through(again.account(2n)))?.creditsPosted ?? 0n;
    expect(kept).toBeGreaterThanOrEqual(seen);
  },
);
