// Not a test: a fleet of queues, with work that nodes report to run and to end.
import type { QueueSettings, WorkloadSpecInput } from '@clawbernetes/protocol';
import { DEFAULT_FLEET_OPTIONS, type FleetOptions, type WorkloadRecord } from '../../src/index.ts';
import { FleetFixture } from '../unit/fleet-fixture.ts';

/** Nothing is protected by how long it has run, so that a test needs no hours. */
export function unguarded(queues: Partial<FleetOptions['queues']> = {}): Partial<FleetOptions> {
  const guards = { minRuntimeMs: 0, coolDownMs: 0, maxPreemptions: 100 };
  return { queues: { ...DEFAULT_FLEET_OPTIONS.queues, guards, ...queues } };
}

const HEARTBEAT_MS = 10_000;

export class QueueFleet {
  readonly fixture: FleetFixture;
  readonly #options: Partial<FleetOptions>;
  #names = 0;

  private constructor(fixture: FleetFixture, options: Partial<FleetOptions>) {
    this.fixture = fixture;
    this.#options = options;
  }

  static async open(
    queues: Readonly<Record<string, QueueSettings>>,
    options: Partial<FleetOptions> = unguarded(),
  ): Promise<QueueFleet> {
    const fixture = await FleetFixture.open(options);
    for (const [queue, settings] of Object.entries(queues)) fixture.fleet.queues.create({ queue, settings });
    return new QueueFleet(fixture, options);
  }

  get fleet(): FleetFixture['fleet'] {
    return this.fixture.fleet;
  }

  async restart(): Promise<void> {
    await this.fixture.crashAndReopen(this.#options);
  }

  submit(queue: string, gpus: number, spec: Partial<WorkloadSpecInput> = {}): WorkloadRecord {
    this.#names += 1;
    const name = `w${this.#names}`;
    return this.fixture.submit({ name, resources: { gpus, cpuMilli: 10, memoryMib: 4 }, queue, ...spec });
  }

  /** Time passes, in which connected nodes are heard. */
  async settle(ms = 10): Promise<void> {
    for (let left = ms; left > 0; left -= HEARTBEAT_MS) {
      for (const { id } of this.fleet.nodes()) this.fleet.registry.heard(id);
      await this.fixture.settle(Math.min(left, HEARTBEAT_MS));
    }
  }

  /** Nodes report that all that was placed on them runs. */
  runAll(): void {
    for (const { id } of this.fleet.nodes())
      for (const attempt of this.fleet.liveAttempts(id))
        if (attempt.revision === 0)
          this.fixture.report(attempt, {
            ...{ state: 'running', revision: 1, startedAtMs: this.fixture.clock.nowMs() },
          });
  }

  end(workload: WorkloadRecord, exitCode = 0): void {
    const attempt = this.fixture.attemptOf(workload);
    this.fixture.report(attempt, { state: 'exited', exitCode, revision: attempt.revision + 1 });
  }

  /** Whatever is being stopped has ended. */
  endStopped(): number {
    let count = 0;
    for (const { id } of this.fleet.nodes())
      for (const attempt of this.fleet.liveAttempts(id)) {
        if (!attempt.evicted) continue;
        count += 1;
        this.fixture.report(attempt, { state: 'killed', signal: 'SIGTERM', revision: attempt.revision + 1 });
      }
    return count;
  }

  states(...workloads: readonly WorkloadRecord[]): readonly string[] {
    return workloads.map((workload) => this.fixture.state(workload));
  }

  used(queue: string): number {
    return this.fleet.queues.show(queue).used.gpus ?? 0;
  }

  async close(): Promise<void> {
    await this.settle();
    // What it still writes takes time.
    const closed = this.fleet[Symbol.asyncDispose]();
    await this.settle();
    await closed;
  }
}
