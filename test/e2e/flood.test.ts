// Shows that a workload which prints far more than can be kept harms nothing, and that its log says what was
// dropped.
import type { WorkloadView } from '@clawbernetes/protocol';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { isAlive } from './support/program.ts';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });
/** More than what a workload may print at once (64 MiB) and the gateway keeps of its log. */
const FLOOD_MIB = 250;

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open();
});
afterAll(() => fleet[Symbol.asyncDispose]());

/** About 50 MB/s of numbered lines for five seconds, then last words. */
async function flood(name: string): Promise<WorkloadView> {
  const second = `seq -f '%0.0f is a line of this flood that nobody will ever read' 1 900000 | head -c 50M`;
  return fleet.sh(`for second in 1 2 3 4 5; do ${second}; sleep 0.2; done; echo; echo last words; exit 13`, {
    name,
  });
}

it(`${FLOOD_MIB} MiB of output: commands are answered meanwhile, and the end and the gaps are exact`, async () => {
  const { id } = await flood('flood');
  const quiet = await fleet.sh('echo quiet; while [ ! -e quiet.go ]; do sleep 0.1; done; exit 2');
  await fleet.untilState(quiet.id, 'running');
  await fleet.untilState(id, 'running');
  let answers = 0;
  while ((await fleet.inspect(id)).state === 'running') {
    await fleet.client.command('fleet.status', {});
    await fleet.client.command('gpu.metrics', { node: 'node-1' });
    const exec = await fleet.client.command('container.exec', {
      workload: quiet.id,
      command: ['echo', 'in'],
    });
    expect(exec.stdout).toBe('in\n');
    const brief = await fleet.sh('exit 3');
    expect((await fleet.end(brief.id)).exitCode).toBe(3);
    answers += 1;
  }
  expect(answers).toBeGreaterThan(0);
  const view = await fleet.end(id);
  expect(view).toMatchObject({ state: 'failed', exitCode: 13, attempts: [{ number: 1 }] });

  let kept = 0;
  let droppedBytes = 0;
  let text = '';
  for await (const { stream, bytes } of fleet.client.followLogs(id)) {
    if (stream === 'stdout') kept += bytes.length;
    else droppedBytes += countDropped(Buffer.from(bytes).toString());
    text = (text + Buffer.from(bytes).toString()).slice(-100);
  }
  expect(text).toContain('\nlast words\n');
  expect(kept).toBeGreaterThan(1024 * 1024);
  expect(droppedBytes).toBeGreaterThan(0);
  expect((await fleet.node.info()).connectivity).toBe('connected');
  expect(isAlive(fleet.gateway.pid)).toBe(true);
  await fleet.stop(quiet.id, { force: true });
  expect(await fleet.end(quiet.id)).toMatchObject({ state: 'cancelled' });
  expect(await fleet.text(quiet.id)).toBe('quiet\n');
  await fleet.untilAllFree();
});

it('the agent killed in the middle of a flood: the end and the last words arrive all the same', async () => {
  const { id } = await flood('flood-with-kill');
  await fleet.untilState(id, 'running');
  await until('some of it has arrived', async () => {
    const { position } = await fleet.client.command('workload.logs', { workload: id, maxBytes: 1 });
    return position > 0;
  });
  await fleet.node.restart();
  expect(await fleet.end(id)).toMatchObject({ exitCode: 13, attempts: [{ number: 1 }] });
  let last = '';
  for await (const { bytes } of fleet.client.followLogs(id))
    last = (last + Buffer.from(bytes).toString()).slice(-100);
  expect(last).toContain('\nlast words\n');
});

/** What a notice in a log says of bytes that are not there. */
function countDropped(notice: string): number {
  return Number(/^(\d+) bytes/.exec(notice)?.[1] ?? 0);
}
