// Not a test: gangs whose members' nodes report by hand.
import type { AttemptStatus } from '@clawbernetes/protocol';
import type { AttemptRecord, FleetOptions, WorkloadRecord } from '../../../src/index.ts';
import { FleetFixture, status } from '../fleet-fixture.ts';
import { passTime } from '../running-work.ts';

export type GangSpec = NonNullable<Parameters<FleetFixture['submit']>[0]>;

export class GangFixture {
  readonly fleet: FleetFixture;
  readonly names: string[] = [];
  readonly #revisions = new Map<string, number>();

  private constructor(fleet: FleetFixture) {
    this.fleet = fleet;
  }

  /** Nodes `r<rack>n<number>` with GPUs. */
  static async open(
    racks: readonly number[],
    gpus: number,
    options: Partial<FleetOptions> = {},
  ): Promise<GangFixture> {
    const fixture = new GangFixture(await FleetFixture.open(options));
    for (const [rack, nodes] of racks.entries())
      for (let node = 0; node < nodes; node += 1) fixture.join(`r${rack}n${node}`, gpus, `r${rack}`);
    await fixture.fleet.settle();
    return fixture;
  }

  join(name: string, gpus: number, rack: string, labels: Readonly<Record<string, string>> = {}): void {
    const id = this.fleet.join(name, gpus);
    const { administration } = this.fleet.fleet;
    administration.label(this.fleet.fleet.node(id), { set: { rack, ...labels }, remove: [] });
    this.names.push(name);
  }

  async submit(spec: GangSpec): Promise<WorkloadRecord> {
    const workload = this.fleet.submit(spec);
    await this.fleet.settle();
    return workload;
  }

  members(workload: WorkloadRecord): readonly AttemptRecord[] {
    return this.fleet.fleet.members(workload.id);
  }

  state(workload: WorkloadRecord): string {
    return this.fleet.state(workload);
  }

  report(member: AttemptRecord, change: Partial<AttemptStatus> & Pick<AttemptStatus, 'state'>): void {
    const revision = (this.#revisions.get(member.id) ?? 0) + 1;
    this.#revisions.set(member.id, revision);
    this.fleet.fleet.reports.report(member.nodeId, [status(member, { revision, ...change })]);
  }

  async all(workload: WorkloadRecord, state: 'ready' | 'running'): Promise<void> {
    for (const member of this.members(workload))
      this.report(member, { state, ...(state === 'running' ? { startedAtMs: 5 } : {}) });
    await this.fleet.settle();
  }

  async running(spec: GangSpec): Promise<WorkloadRecord> {
    const workload = await this.submit(spec);
    await this.all(workload, 'ready');
    await this.all(workload, 'running');
    return workload;
  }

  /** What was ordered of one kind since this was asked last. */
  takeOrders(kind: 'start' | 'stop' | 'release'): { nodeId: string; attemptId: string }[] {
    const taken = this.fleet.orders.flatMap(({ nodeId, order }) => {
      if (order.kind !== kind) return [];
      return [{ nodeId, attemptId: order.kind === 'start' ? order.attempt.id : order.attemptId }];
    });
    this.fleet.orders.length = 0;
    return taken;
  }

  /** Those not named in `silent` go on sending heartbeats. */
  async pass(ms: number, silent: readonly string[] = []): Promise<void> {
    await passTime(
      this.fleet,
      ms,
      this.names.filter((name) => !silent.includes(name)),
    );
  }
}
