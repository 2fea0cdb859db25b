// Shows that an inventory in which a probe failed is taken again soon, then less and less often, and one in
// which all is known every five minutes.
import { seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import type { NodeInventory } from '@clawbernetes/protocol';
import { expect, test } from 'vitest';
import { Inventory } from '../../src/agent/inventory.ts';
import type { Hardware } from '../../src/host.ts';
import { virtualHardware } from '../../src/testing/virtual-hardware.ts';

const FIVE_MINUTES_MS = 300_000;
const LIMITED: NodeInventory['executors'][number] = {
  kind: 'process',
  available: false,
  sandbox: 'none',
  limitations: ['busy'],
};
const SLOW: NodeInventory['probes'][number] = { name: 'nvidia-smi', outcome: 'timed-out', durationMs: 1 };

/** Hardware whose answers are changed by the test, and that says when it was asked. */
class ChangingHardware implements Hardware {
  readonly clock = new VirtualClock();
  readonly askedAtMs: number[] = [];
  change: Partial<NodeInventory> = {};
  readonly sample = virtualHardware().sample;

  async detect(): Promise<NodeInventory> {
    this.askedAtMs.push(this.clock.monotonicMs());
    return { ...(await virtualHardware().detect({})), ...this.change };
  }
}

async function opened(change: Partial<NodeInventory>) {
  const hardware = new ChangingHardware();
  hardware.change = change;
  const inventory = await Inventory.open({ hardware, logger: silentLogger });
  const changes: NodeInventory[] = [];
  inventory.onChange(() => changes.push(inventory.present));
  const present = inventory.keepPresent({ clock: hardware.clock, random: seededRandom(1) });
  return { hardware, inventory, changes, present };
}

test.each<[string, Partial<NodeInventory>]>([
  ['the process executor is missing', { executors: [LIMITED] }],
  ['a probe timed out', { probes: [SLOW] }],
])('%s: asked again within seconds, and told once it is there', async (_what, change) => {
  const { hardware, inventory, changes, present } = await opened(change);
  await hardware.clock.advance(2000);
  expect(hardware.askedAtMs.length).toBeGreaterThanOrEqual(2);
  expect(changes).toEqual([]);
  hardware.change = {};
  await hardware.clock.advance(20_000);
  expect(changes).toHaveLength(1);
  expect(inventory.present.executors[0]?.available).toBe(true);
  const asked = hardware.askedAtMs.length;
  await hardware.clock.advance(FIVE_MINUTES_MS - 25_000);
  expect(hardware.askedAtMs).toHaveLength(asked);
  await hardware.clock.advance(25_000);
  expect(hardware.askedAtMs).toHaveLength(asked + 1);
  present[Symbol.dispose]();
});

test('a host that has no sandbox for good is asked as seldom as any other in the end', async () => {
  const { hardware, present } = await opened({ executors: [LIMITED] });
  const hourMs = 3_600_000;
  await hardware.clock.advance(hourMs);
  const settled = hardware.askedAtMs.length;
  await hardware.clock.advance(hourMs);
  // A wait is at least a tenth of five minutes.
  expect(hardware.askedAtMs.length - settled).toBeLessThanOrEqual(120);
  expect(hardware.askedAtMs.length - settled).toBeGreaterThan(10);
  present[Symbol.dispose]();
  await hardware.clock.advance(hourMs);
  expect(hardware.askedAtMs.at(-1)).toBeLessThanOrEqual(2 * hourMs);
});
