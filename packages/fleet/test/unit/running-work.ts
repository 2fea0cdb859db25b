// Not a test: work that runs on a fixture's nodes while time passes.
import type { WorkloadRecord } from '../../src/index.ts';
import type { FleetFixture } from './fleet-fixture.ts';

export type Spec = NonNullable<Parameters<FleetFixture['submit']>[0]>;

/** Submitted, placed and running. */
export async function startRunning(fixture: FleetFixture, spec: Spec): Promise<WorkloadRecord> {
  const workload = fixture.submit(spec);
  await fixture.settle();
  fixture.report(fixture.attemptOf(workload), { state: 'running', revision: 1, startedAtMs: 5 });
  return workload;
}

/** For nodes of these names, which stay connected. */
export async function passTime(fixture: FleetFixture, ms: number, names: readonly string[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10_000) {
    for (const name of names) fixture.fleet.registry.heard(`node-${name}`);
    await fixture.settle(Math.min(10_000, ms - passed));
  }
}

export function waitingMessage(fixture: FleetFixture, workload: WorkloadRecord): string {
  return fixture.fleet.workloadView(workload).waiting?.message ?? '';
}
