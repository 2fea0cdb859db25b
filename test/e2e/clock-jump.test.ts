// Shows that a machine whose clock is set, far ahead or far back, loses no node, ends no work early or late,
// and still tells a sane story.
import { describe, expect, it, vi } from 'vitest';
import { HeldWork } from './support/held-work.ts';
import { RealFleet, type Inspection } from './support/real-fleet.ts';
import { clockShiftMissing as missing, ShiftedClock } from './support/shifted-clock.ts';

vi.setConfig({ testTimeout: 120_000 });
const DAY_S = 86_400;
const HOUR_MS = 3_600_000;

describe.skipIf(missing !== undefined)(`a clock that jumps${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  it.each([
    ['a day ahead, then two back', [DAY_S, -DAY_S]],
    ['a day back, then two ahead', [-DAY_S, DAY_S]],
  ])('%s: under gateway, agent and supervisor', async (_, offsets) => {
    await using clock = await ShiftedClock.open();
    const { env, nodeBin: bin } = clock;
    await using fleet = await RealFleet.open([{ name: 'node-1', env, bin }], { gatewayEnv: env });
    const held: HeldWork[] = [];
    for (const [index, offset] of [0, ...offsets].entries()) {
      await clock.jumpTo(offset);
      const { lastSeenAtMs } = await fleet.node.info();
      const work = await HeldWork.submit(fleet, `held-${index}`, {
        exitCode: index,
        spec: { timeoutMs: HOUR_MS },
      });
      held.push(work);
      await work.hasBegun();
      await fleet.untilState(work.id, 'running');
      expect((await fleet.node.info()).connectivity).toBe('connected');
      const late = await fleet.run({ command: ['sleep', '305'], timeoutMs: 300, stopGraceMs: 200 });
      expectSane(await fleet.end(late.id), { endReason: 'timeout' });
      await fleet.node.restart();
      await fleet.restartGateway();
      expect((await fleet.node.info()).lastSeenAtMs).not.toBe(lastSeenAtMs);
    }
    for (const work of held) await work.letGo();
    for (const [exitCode, work] of held.entries()) expectSane(await work.endsWhole(), { exitCode });
    await fleet.untilAllFree();
  });
});

/** It ended as expected, and its duration is that of this test at most, whatever the clock said. */
function expectSane(view: Inspection, end: Partial<Inspection>): void {
  expect(view).toMatchObject(end);
  const durationMs = (view.finishedAtMs ?? NaN) - (view.startedAtMs ?? NaN);
  expect(durationMs).toBeGreaterThan(0);
  expect(durationMs).toBeLessThan(HOUR_MS);
}
