// Shows that a question is answered a piece in each turn, so many at once and for those who still wait for
// it, and that the answer is the one of the moment of asking whatever happens between two pieces.
import fc from 'fast-check';
import { errorCode, type Clock } from '@clawbernetes/kernel';
import { describe, expect, test } from 'vitest';
import { reservationRequestSchema, workloadSpecSchema } from '@clawbernetes/protocol';
import type { Fleet, WorkloadRecord } from '../../src/index.ts';
import type { Sliced } from '../../src/scheduler/slices.ts';
import { QuestionTurns } from '../../src/workload/question-turns.ts';
import { QueueFleet, unguarded } from '../queues/queue-fleet.ts';
import { FleetFixture } from './fleet-fixture.ts';

const LOOKS_PER_TURN = 10;

/** Takes so many pieces of one look; notes each of them, and its end. */
function* pieces(count: number, log: string[] = [], name = ''): Sliced<string> {
  try {
    for (let piece = 0; piece < count; piece += 1) {
      log.push(name);
      yield 1;
    }
    return name;
  } finally {
    log.push(`${name} over`);
  }
}

/** Whose timers come one by one. */
class HandClock implements Pick<Clock, 'after'> {
  readonly #due: (() => void)[] = [];

  after(_delayMs: number, callback: () => void): { readonly cancel: () => void } {
    this.#due.push(callback);
    return { cancel: () => void this.#due.splice(this.#due.indexOf(callback), 1) };
  }

  /** Answers whether there was one. */
  turn(): boolean {
    const callback = this.#due.shift();
    callback?.();
    return callback !== undefined;
  }
}

function open(): { readonly clock: HandClock; readonly turns: QuestionTurns } {
  const clock = new HandClock();
  return { clock, turns: new QuestionTurns({ clock }, { looksPerTurn: LOOKS_PER_TURN }) };
}

function repeated(name: string, count: number): readonly string[] {
  return Array.from({ length: count }, () => name);
}

describe('questions', () => {
  test('take no more looks in a turn than they may, one after the other', async () => {
    const { clock, turns } = open();
    const log: string[] = [];
    const [first, second] = [
      turns.ask(() => pieces(25, log, 'first')),
      turns.ask(() => pieces(5, log, 'second')),
    ];
    expect(log).toEqual(repeated('first', 10));
    clock.turn();
    expect(log).toEqual(repeated('first', 20));
    clock.turn();
    expect(log.slice(20)).toEqual([...repeated('first', 5), 'first over']);
    clock.turn();
    expect(log.slice(26)).toEqual([...repeated('second', 5), 'second over']);
    expect(await Promise.all([first, second])).toEqual(['first', 'second']);
  });

  test('of one turn have one turn together, however small they are', async () => {
    const { clock, turns } = open();
    const log: string[] = [];
    const all = ['a', 'b', 'c'].map((name) => turns.ask(() => pieces(1, log, name)));
    expect(log).toEqual(['a', 'a over']);
    clock.turn();
    expect(log).toHaveLength(4);
    clock.turn();
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c']);
  });

  test('of which too many wait are refused', async () => {
    const { clock, turns } = open();
    // The first is answered at once.
    const all = Array.from({ length: 65 }, () => turns.ask(() => pieces(1)));
    await expect(turns.ask(() => pieces(1))).rejects.toMatchObject({ code: 'overloaded' });
    while (clock.turn());
    await Promise.all(all);
    expect(await turns.ask(() => pieces(1, [], 'more'))).toBe('more');
  });

  test('that nobody waits for any more end where they are, or never begin', async () => {
    const { clock, turns } = open();
    const log: string[] = [];
    const gone = new AbortController();
    const options = { signal: gone.signal };
    const dropped = [
      turns.ask(() => pieces(100, log, 'long'), options),
      turns.ask(() => pieces(1, log, 'later'), options),
    ];
    const stays = turns.ask(() => pieces(1, log, 'stays'));
    gone.abort();
    const outcomes = await Promise.allSettled([...dropped, turns.ask(() => pieces(1, log, 'late'), options)]);
    expect(outcomes.map((one) => one.status === 'rejected' && errorCode(one.reason))).toEqual([
      ...['aborted', 'aborted', 'aborted'],
    ]);
    clock.turn();
    expect(await stays).toBe('stays');
    expect(log).toEqual([...repeated('long', 10), 'long over', 'stays', 'stays over']);
  });

  test('that fail keep nobody else from being answered, and those left over at the end are told', async () => {
    const { clock, turns } = open();
    const fails = turns.ask(function* fail(): Sliced<string> {
      yield 1;
      throw new TypeError('broken');
    });
    const next = turns.ask(() => pieces(100));
    const last = turns.ask(() => pieces(1));
    await expect(fails).rejects.toThrow('broken');
    clock.turn();
    turns.close();
    for (const left of [next, last])
      await expect(left).rejects.toMatchObject({ code: 'storage-unavailable' });
    expect(clock.turn()).toBe(false);
  });
});

test('a fleet answers in many turns what it answers at once', async () => {
  const fixture = await FleetFixture.open({ looksPerTurn: 20 });
  for (let node = 0; node < 40; node += 1) fixture.join(`n${node}`, 2);
  for (let index = 0; index < 80; index += 1) fixture.submit({ resources: { gpus: 1 } });
  await fixture.settle(100);
  const waits = fixture.submit({ resources: { gpus: 2 } });
  await fixture.settle(100);
  const { questions } = fixture.fleet;
  const imagined = {
    ...{ namespace: 'default', count: 2, ended: [], drained: fixture.fleet.nodes().slice(0, 1) },
    spec: workloadSpecSchema.parse({ command: ['true'], resources: { gpus: 2 } }),
  };
  const atOnce = [questions.why(waits, []), questions.whatIf(imagined)];
  let answered = 0;
  const told = [questions.whyInTurns(waits, []), questions.whatIfInTurns(imagined)];
  for (const one of told) void one.then(() => (answered += 1));
  await Promise.resolve();
  expect(answered).toBe(0);
  await fixture.settle();
  expect(await Promise.all(told)).toEqual(atOnce);
});

const NODES = 36;

const changeArbitrary = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('end'), pick: fc.nat(200) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('submit'), gpus: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('stop'), pick: fc.nat(200) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cordon'), pick: fc.nat(NODES - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('limit'), gpus: fc.integer({ min: 0, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time'), ms: fc.integer({ min: 1, max: 60_000 }) }) },
);
type Change = typeof changeArbitrary extends fc.Arbitrary<infer One> ? One : never;

async function apply(queues: QueueFleet, change: Change): Promise<void> {
  const { fleet, fixture } = queues;
  const pick = <T>(items: readonly T[]): T | undefined =>
    'pick' in change ? items[change.pick % Math.max(1, items.length)] : undefined;
  if (change.kind === 'end') {
    const live = pick(fleet.nodes().flatMap(({ id }) => fleet.liveAttempts(id)));
    if (live) fixture.report(live, { state: 'exited', exitCode: 0, revision: live.revision + 1 });
  } else if (change.kind === 'stop') {
    const some = pick(fleet.workloads('default').filter(({ state }) => state === 'queued'));
    if (some) fleet.intake.stop(some, false);
  } else if (change.kind === 'cordon') {
    const node = pick(fleet.nodes());
    if (node) fleet.administration.cordon(node);
  } else if (change.kind === 'submit' && 'gpus' in change) queues.submit('a', change.gpus, { priority: 1 });
  else if ('gpus' in change) fleet.queues.update({ queue: 'a', settings: { limit: { gpus: change.gpus } } });
  await queues.settle('ms' in change ? change.ms : 1);
}

const fleetArbitrary = fc.record({
  limit: fc.constantFrom(undefined, 20, 40, 1000),
  gpusPerNode: fc.constantFrom(1, 2),
  work: fc.array(
    fc.record({
      queue: fc.constantFrom('a', 'a', 'b'),
      gpus: fc.integer({ min: 1, max: 2 }),
      priority: fc.nat(2),
      timeoutMs: fc.constantFrom(undefined, 30_000, 90_000),
      members: fc.constantFrom(undefined, undefined, undefined, 3),
    }),
    { minLength: 40, maxLength: 60 },
  ),
  reserved: fc.boolean(),
});
type FleetFacts = typeof fleetArbitrary extends fc.Arbitrary<infer One> ? One : never;

/** Full as a rule, with a limit or not; every workload but those that end is retained for a moment only. */
async function openFleet({ limit, gpusPerNode, work, reserved }: FleetFacts): Promise<QueueFleet> {
  const settings = {
    a: limit === undefined ? {} : { limit: { gpus: limit } },
    b: { guaranteed: { gpus: 8 } },
  };
  const queues = await QueueFleet.open(settings, { ...unguarded(), retainEnded: 1 });
  for (let node = 0; node < NODES; node += 1) queues.fixture.join(`n${node}`, gpusPerNode);
  await queues.settle();
  if (reserved) reserve(queues.fleet);
  for (const { queue, gpus, priority, timeoutMs, members } of work)
    queues.submit(queue, gpus, {
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(members === undefined ? {} : { gang: { members } }),
      priority,
    });
  await queues.settle(100);
  queues.runAll();
  await queues.settle(100);
  return queues;
}

function reserve(fleet: Fleet): void {
  const request = { name: 'r', queues: ['b'], gpus: 2, start: '+20s', durationMs: 180_000 };
  fleet.reservations.create(reservationRequestSchema.parse(request));
}

/** The answer, with changes between its pieces as long as there are some. */
async function answerAmid<Answer>(
  queues: QueueFleet,
  answering: Sliced<Answer>,
  changes: readonly Change[],
): Promise<Answer> {
  const left = [...changes];
  for (;;) {
    const step = answering.next();
    if (step.done === true) return step.value;
    const change = left.shift();
    if (change) await apply(queues, change);
  }
}

function waitingOf(fleet: Fleet): readonly WorkloadRecord[] {
  return fleet.workloads('default').filter(({ state }) => state === 'queued');
}

test('an answer is about the moment of asking, whatever changes before it is complete', async () => {
  let [asked, otherwise] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fleetArbitrary,
      fc.array(changeArbitrary, { minLength: 6, maxLength: 20 }),
      fc.nat(1000),
      async (facts, changes, roll) => {
        const queues = await openFleet(facts);
        const { fleet } = queues;
        const waiting = waitingOf(fleet);
        const some = waiting[roll % Math.max(1, waiting.length)];
        const imagined = {
          ...{ namespace: 'default', count: 3, drained: fleet.nodes().slice(0, roll % 3) },
          spec: workloadSpecSchema.parse({ command: ['true'], resources: { gpus: 1 }, queue: 'a' }),
          ended: roll % 2 === 0 ? fleet.workloads('default').slice(0, 2) : [],
        };
        const { questions } = fleet;
        const ask = (): Sliced<unknown> =>
          some && roll % 3 > 0 ? questions.explaining(some, []) : questions.supposing(imagined);
        const tell = (): unknown =>
          some && roll % 3 > 0 ? questions.why(some, []) : questions.whatIf(imagined);
        const expected = tell();
        expect(await answerAmid(queues, ask(), changes)).toEqual(expected);
        asked += 1;
        if (!some || waitingOf(fleet).some(({ id }) => id === some.id))
          otherwise += Number(JSON.stringify(tell()) !== JSON.stringify(expected));
        await queues.close();
      },
    ),
    { numRuns: 80, endOnFailure: true },
  );
  // Else nothing was shown.
  expect(otherwise).toBeGreaterThan(asked / 3);
}, 120_000);
