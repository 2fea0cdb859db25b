// Not a test: a fleet over a simulated disk, driven by hand.
import { seededRandom, silentLogger, type CodedError } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import {
  workloadSpecSchema,
  type AttemptStatus,
  type NodeInventory,
  type WorkloadSpecInput,
} from '@clawbernetes/protocol';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import {
  Fleet,
  fleetSchema,
  type AttemptRecord,
  type FleetOptions,
  type NodeOrder,
  type WorkloadRecord,
} from '../../src/index.ts';

export interface SentOrder {
  readonly nodeId: string;
  readonly order: NodeOrder;
}

/** A fleet whose disk outlives it, so that it can be reopened. */
export class FleetFixture {
  readonly clock = new VirtualClock();
  readonly random = seededRandom(7);
  readonly disk = new MemoryDisk(this);
  readonly orders: SentOrder[] = [];
  readonly ended: string[] = [];
  readonly removed: string[] = [];
  /** By node, when something came over its connection that the fleet may not have been told; monotonic ms. */
  readonly arrived = new Map<string, number>();
  fleet!: Fleet;

  static async open(options: Partial<FleetOptions> = {}): Promise<FleetFixture> {
    const fixture = new FleetFixture();
    await fixture.reopen(options);
    return fixture;
  }

  async reopen(options: Partial<FleetOptions> = {}): Promise<void> {
    const store = await openMemoryStore({ clock: this.clock }, this.disk, { schema: fleetSchema });
    const listeners = {
      order: (nodeId: string, order: NodeOrder) => void this.orders.push({ nodeId, order }),
      ended: (workloadId: string) => void this.ended.push(workloadId),
      removed: (attemptIds: readonly string[]) => void this.removed.push(...attemptIds),
    };
    const arrivedMs = (nodeId: string): number | undefined => this.arrived.get(nodeId);
    const base = { clock: this.clock, random: this.random, logger: silentLogger };
    this.fleet = await Fleet.open({ ...base, store, listeners, arrivedMs }, options);
  }

  /** Everything not yet committed is forgotten, as by a kill. */
  async crashAndReopen(options: Partial<FleetOptions> = {}): Promise<void> {
    this.disk.crash();
    await this.reopen(options);
  }

  async settle(ms = 10): Promise<void> {
    await this.clock.advance(ms);
  }

  join(name: string, gpus = 0, overrides: Partial<NodeInventory> = {}, approved = true): string {
    const id = `node-${name}`;
    this.fleet.registry.register({
      id,
      publicKey: `key-${name}`,
      fingerprint: `fp-${name}`,
      name,
      labels: {},
      agentVersion: '0',
      inventory: { ...inventory(name, gpus), ...overrides },
      commands: [],
      preApproved: approved,
    });
    this.connect(id);
    return id;
  }

  /** It connects, and shows that it runs nothing that it should not. */
  connect(id: string): void {
    this.fleet.registry.connected(id);
    this.fleet.registry.listed(id, { reconciled: true });
  }

  submit(spec: Partial<WorkloadSpecInput> = {}, key?: string): WorkloadRecord {
    const parsed = workloadSpecSchema.parse({ command: ['true'], ...spec });
    return this.fleet.intake.submit({
      namespace: 'default',
      spec: parsed,
      ...(key ? { idempotencyKey: key } : {}),
    });
  }

  attemptOf(workload: WorkloadRecord): AttemptRecord {
    const attempt = this.fleet.latestAttempt(workload.id);
    if (!attempt) throw new Error(`${workload.name} has no attempt`);
    return attempt;
  }

  state(workload: WorkloadRecord): string {
    return this.fleet.workloadView(workload).state;
  }

  report(
    attempt: AttemptRecord,
    change: Partial<AttemptStatus> & Pick<AttemptStatus, 'state' | 'revision'>,
  ): void {
    this.fleet.reports.report(attempt.nodeId, [status(attempt, change)]);
  }
}

export function status(
  attempt: Pick<AttemptRecord, 'id' | 'epoch'>,
  change: Partial<AttemptStatus> & Pick<AttemptStatus, 'state' | 'revision'>,
): AttemptStatus {
  return {
    attemptId: attempt.id,
    epoch: attempt.epoch,
    acceptedAtMs: 1,
    sandbox: 'none',
    limitations: [],
    logEnd: 0,
    ...change,
  };
}

export function inventory(hostname: string, gpus: number): NodeInventory {
  return {
    hostname,
    os: 'Linux',
    kernel: '6',
    architecture: 'x64',
    cpu: { model: 'test', cores: 8, sockets: 1, numaNodes: 2 },
    memoryMib: 16_384,
    disk: { path: '/', totalMib: 1, freeMib: 1 },
    gpus: Array.from({ length: gpus }, (_, index) => ({
      id: `${hostname}-gpu-${index}`,
      index,
      vendor: 'nvidia',
      model: 'NVIDIA H100 80GB HBM3',
      memoryMib: 81_559,
      numaNode: index < gpus / 2 ? 0 : 1,
      health: { state: 'healthy' },
      simulated: true,
    })),
    gpuLinks: [],
    executors: [{ kind: 'process', available: true, sandbox: 'bubblewrap', limitations: [] }],
    probes: [],
  };
}

export function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as CodedError).code;
  }
}
