// Shows that a workload that is stopped in the turn that took it in is stored as cancelled, and never starts.
import { expect, test } from 'vitest';
import { FleetFixture } from './fleet-fixture.ts';

test('what is stopped before its first commit is cancelled, after a crash too, and no node hears of it', async () => {
  const fixture = await FleetFixture.open();
  fixture.join('n', 1);
  await fixture.settle();
  fixture.orders.length = 0;
  const workload = fixture.submit({ resources: { gpus: 1 } });
  fixture.fleet.intake.stop(workload, false);
  await fixture.settle();
  await fixture.crashAndReopen();
  expect(fixture.state(fixture.fleet.workload('default', workload.id))).toBe('cancelled');
  expect(fixture.orders).toEqual([]);
});
