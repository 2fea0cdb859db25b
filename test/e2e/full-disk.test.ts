// Shows that a full disk under a node or a gateway loses output at most: all ends are reported, and all goes
// on once there is room.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { errorCode } from '@clawbernetes/kernel';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { HeldWork } from './support/held-work.ts';
import { RealFleet } from './support/real-fleet.ts';
import { SmallDisk } from './support/small-disk.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });
const missing = process.getuid?.() === 0 ? '' : ' [skipped: needs root to mount a small file system]';
const LINES = 200_000;

describe.skipIf(missing !== '')(`a full disk under the node${missing}`, () => {
  let disk: SmallDisk;
  let fleet: RealFleet;
  beforeAll(async () => {
    disk = await SmallDisk.open(24);
    fleet = await RealFleet.open([{ name: 'node-1', home: path.join(disk.folder, 'home') }]);
  });
  afterAll(async () => {
    await fleet[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
  });

  it('running work goes on; its end arrives, and what output was lost is said', async () => {
    const quiet = await HeldWork.submit(fleet, 'quiet', { exitCode: 7 });
    const wordy = await fleet.sh(
      `echo begun > up; while [ ! -e wordy.go ]; do sleep 0.05; done; seq ${LINES}; echo done > up; exit 8`,
    );
    await quiet.hasBegun();
    await until('the other has begun', async () => (await fleet.file('up')) === 'begun\n');
    await until(
      'its output is here',
      async () => (await fleet.client.command('workload.logs', { workload: quiet.id })).position > 0,
    );
    await fleet.untilState(wordy.id, 'running');
    disk.fill();
    await fleet.letGo('wordy');
    await quiet.letGo();
    await until('it has printed everything', async () => (await fleet.file('up')) === 'done\n');
    disk.empty();
    const view = await fleet.end(quiet.id);
    expect(view).toMatchObject({ exitCode: 7, attempts: [{ number: 1 }] });
    expect(await quiet.starts()).toBe(1);
    const { exitCode, message } = await fleet.end(wordy.id);
    expect(exitCode).toBe(8);
    expect((await fleet.text(wordy.id)).split('\n').length).toBeLessThan(LINES);
    expect(`${message} ${await fleet.text(wordy.id, 'notice')}`).toMatch(/lost.*(space|ENOSPC)/);
    await fleet.untilAllFree();
  });

  it('new work ends with the reason and does not run; afterwards the node takes work again', async () => {
    disk.fill();
    // Larger than what may be left in the last block of the journal.
    const { id } = await fleet.sh('echo ran >> new.ran', { env: { LONG: 'x'.repeat(20_000) } });
    const view = await fleet.end(id);
    expect(view).toMatchObject({ state: 'failed', endReason: 'launch-failed' });
    expect(view.message).toMatch(/space/);
    expect(await fleet.file('new.ran')).toBe('');
    disk.empty();
    expect(await fleet.end((await fleet.sh('true')).id)).toMatchObject({ state: 'succeeded' });
  });

  it('an agent that starts meanwhile says what is wrong or serves; nothing is lost', async () => {
    const work = await HeldWork.submit(fleet, 'agent', { exitCode: 3 });
    await work.hasBegun();
    await fleet.untilState(work.id, 'running');
    disk.fill();
    await fleet.node.agent?.kill();
    const agent = fleet.node.start();
    await until('it serves or has given up', () => !agent.isRunning || agent.stderr.includes('Registered'));
    if (!agent.isRunning) expect(agent.stderr).toMatch(/Free some space/);
    await work.letGo();
    disk.empty();
    if (!agent.isRunning) fleet.node.start();
    expect(await fleet.end(work.id)).toMatchObject({ exitCode: 3, attempts: [{ number: 1 }] });
    await fleet.untilAllFree();
  });

  it('a supervisor that dies meanwhile is followed by another once there is room', async () => {
    const work = await HeldWork.submit(fleet, 'supervisor', { exitCode: 3 });
    await work.hasBegun();
    await fleet.untilState(work.id, 'running');
    disk.fill();
    await fleet.node.killSupervisor();
    await fleet.node.agent?.says(/supervisor cannot be reached|supervisor was lost/i);
    disk.empty();
    expect(await fleet.end(work.id)).toMatchObject({ state: 'failed', endReason: 'supervisor-lost' });
    expect(await fleet.end((await fleet.sh('true')).id)).toMatchObject({ state: 'succeeded' });
    await fleet.untilAllFree();
  });
});

describe.skipIf(missing !== '')(`a full disk under the gateway${missing}`, () => {
  it('is said, with what to do; work goes on, and its end is stored once there is room', async () => {
    await using disk = await SmallDisk.open(24);
    const gatewayHome = path.join(disk.folder, 'home');
    mkdirSync(gatewayHome);
    await using fleet = await RealFleet.open(undefined, { gatewayHome });
    const work = await HeldWork.submit(fleet, 'work', { exitCode: 7 });
    await work.hasBegun();
    await fleet.untilState(work.id, 'running');
    disk.fill();
    let refused: unknown;
    await until('it is refused', async () => {
      await fleet.sh('echo >> accepted').catch((error: unknown) => (refused = error));
      return refused !== undefined;
    });
    expect(errorCode(refused)).toMatch(/^storage-/);
    expect(String(refused)).toMatch(/space.*fleet\.db/i);
    const { workloads: accepted } = await listOrNothing(fleet);
    await work.letGo();
    disk.empty();
    await fleet.untilGatewayServes();
    expect(await work.endsWhole()).toMatchObject({ state: 'failed' });
    const { workloads } = await fleet.client.command('workload.list', {});
    for (const { id } of accepted) expect(workloads.map((each) => each.id)).toContain(id);
    expect(await fleet.end((await fleet.sh('true')).id)).toMatchObject({ state: 'succeeded' });

    // Started while it is full, it says so, and does no harm to what is there.
    disk.fill();
    await fleet.gateway.kill();
    const gateway = fleet.startGateway();
    await until('it ended or listens', () => !gateway.isRunning || /listening/.test(gateway.stdout));
    if (!gateway.isRunning) expect(gateway.stderr).toMatch(/space|disk/);
    disk.empty();
    await fleet.restartGateway();
    expect((await fleet.inspect(work.id)).exitCode).toBe(7);
    expect(existsSync(path.join(gatewayHome, 'gateway', 'fleet.db'))).toBe(true);
  });
});

async function listOrNothing(
  fleet: RealFleet,
): Promise<{ readonly workloads: readonly { readonly id: string }[] }> {
  return fleet.client.command('workload.list', {}).catch(() => ({ workloads: [] }));
}
