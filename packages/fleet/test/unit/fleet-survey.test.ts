// Shows that a fleet in figures is made in pieces, is what its views say, and is of the moment of asking
// whatever happens between two pieces.
import { errorCode } from '@clawbernetes/kernel';
import { expect, test } from 'vitest';
import type { Fleet, FleetFigures, Sliced } from '../../src/index.ts';
import { FleetFixture } from './fleet-fixture.ts';
import { cutGpu, gpusOf } from './mig-gpus.ts';

const NODES = 200;
const GPUS = 4;
/** So few that each piece is a small part of the nodes. */
const LOOKS_PER_TURN = 60;

/** By the views, one by one. */
function counted(fleet: Fleet): object {
  const views = fleet.nodes().map((node) => fleet.nodeView(node));
  const count = (keys: readonly string[]): object =>
    Object.fromEntries([...Map.groupBy(keys, (key) => key)].map(([key, all]) => [key, all.length]));
  return {
    connectivity: count(views.map(({ connectivity }) => connectivity)),
    gpus: count(views.flatMap(({ gpus }) => gpus.map(({ state }) => state))),
    workloads: count(fleet.workloads('default').map(({ state }) => state)),
    eventSequence: fleet.eventSequence,
  };
}

function figured({ connectivity, gpuMilli, workloads, eventSequence }: FleetFigures): object {
  const gpus = Array.from(gpuMilli, ([state, milli]) => [state, milli / 1000] as const);
  return {
    connectivity: Object.fromEntries(connectivity),
    gpus: Object.fromEntries(gpus),
    workloads: { ...workloads },
    eventSequence,
  };
}

async function busyFleet(): Promise<FleetFixture> {
  const fixture = await FleetFixture.open({ looksPerTurn: LOOKS_PER_TURN });
  for (let node = 0; node < NODES; node += 1) fixture.join(`n${node}`, GPUS, {}, node % 9 !== 0);
  const submitted = Array.from({ length: NODES }, (_, index) =>
    fixture.submit({ resources: { gpus: 1 + (index % GPUS) } }),
  );
  await fixture.settle(1000);
  for (const workload of submitted.slice(0, NODES / 2)) {
    const attempt = fixture.fleet.latestAttempt(workload.id);
    if (attempt) fixture.report(attempt, { state: 'running', revision: 1, startedAtMs: 5 });
  }
  fixture.fleet.registry.disconnected('node-n3');
  await fixture.settle();
  return fixture;
}

function* asTheyAre(figures: FleetFigures): Sliced<FleetFigures> {
  yield 1;
  return figures;
}

const ASK = { namespace: 'default' };

test('it is what the views say at the moment of asking, though much changes before it is told', async () => {
  const fixture = await busyFleet();
  const { fleet } = fixture;
  const before = counted(fleet);
  const told = fleet.questions.survey.ask(asTheyAre, ASK);
  let isTold = false;
  void told.then(() => (isTold = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isTold).toBe(false);
  // All that is seen of nodes changes after the first piece.
  for (const { id } of fleet.nodes()) {
    for (const attempt of fleet.liveAttempts(id))
      fixture.report(attempt, { state: 'exited', revision: 9, exitCode: 0 });
    fleet.registry.disconnected(id);
  }
  await fixture.settle(0);
  expect(figured(await told)).toEqual(before);
  expect(counted(fleet)).not.toEqual(before);
  expect(figured(await settled(fixture, fleet.questions.survey.ask(asTheyAre, ASK)))).toEqual(counted(fleet));
});

test('a GPU that MIG cuts up counts by its instances, and these as the parts that they are', async () => {
  const fixture = await FleetFixture.open();
  const [cut, whole] = [
    cutGpu('a', 0, { profiles: ['3g.40gb', '1g.10gb'] }),
    cutGpu('a', 1, { profiles: [] }),
  ];
  fixture.join('a', 0, { gpus: gpusOf(cut, whole) });
  await fixture.settle();
  const { fleet } = fixture;
  const [view] = fleet.nodes().map((node) => fleet.nodeView(node));
  const parts = view?.gpus.flatMap(({ migMilli }) => migMilli ?? []) ?? [];
  expect(parts).toHaveLength(2);
  const { gpuMilli } = await settled(fixture, fleet.questions.survey.ask(asTheyAre, ASK));
  expect([...gpuMilli]).toEqual([['free', 1000 + parts.reduce((sum, milli) => sum + milli, 0)]]);
});

test('who does not wait any more, or whose fleet is closed, gets no figures', async () => {
  const { fleet } = await busyFleet();
  const gone = new AbortController();
  const asked = fleet.questions.survey.ask(asTheyAre, { ...ASK, signal: gone.signal });
  const late = fleet.questions.survey.ask(asTheyAre, ASK);
  gone.abort();
  expect(errorCode(await asked.catch((error: unknown) => error))).toBe('aborted');
  fleet.questions.close();
  expect(errorCode(await late.catch((error: unknown) => error))).toBe('storage-unavailable');
});

async function settled<Answer>(fixture: FleetFixture, answer: Promise<Answer>): Promise<Answer> {
  await fixture.settle(100);
  return answer;
}
