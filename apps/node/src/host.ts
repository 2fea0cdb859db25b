import type { KeyPair } from '@clawbernetes/identity';
import type { Clock, Logger, Random } from '@clawbernetes/kernel';
import type { CommandOutput, FrameChannel, NodeInventory } from '@clawbernetes/protocol';
import type { Supervisor } from './supervisor/supervisor.ts';

export type GpuMetrics = CommandOutput<'gpu.metrics'>['gpus'][number];
export type SystemMetrics = CommandOutput<'gpu.metrics'>['system'];

export interface MetricsSample {
  readonly gpus: readonly GpuMetrics[];
  readonly system: SystemMetrics;
}

/** What a node looks at. Both may take as long as their own deadlines allow; nothing waits for them. */
export interface Hardware {
  detect(options: { readonly signal?: AbortSignal }): Promise<NodeInventory>;
  sample(options: { readonly signal?: AbortSignal }): Promise<MetricsSample>;
}

/** What a node remembers of the fleet it joined. */
export interface Membership {
  readonly gatewayId: string;
  /** Hexadecimal. */
  readonly gatewayPublicKey: string;
  /** Base64; absent while the gateway has not approved the node. */
  readonly grant?: string;
}

/** A node's small durable memory: saved before `save` resolves. */
export interface MembershipStore {
  load(): Promise<Membership | undefined>;
  save(membership: Membership): Promise<void>;
}

/** Everything outside of the agent: the machine in production, a virtual one in the simulator. */
export interface NodeHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The node's identity. */
  readonly key: KeyPair;
  /** Opens a connection to the gateway; rejects when it cannot be opened. */
  connect(url: string, options: { readonly signal?: AbortSignal }): Promise<FrameChannel>;
  readonly supervisor: Supervisor;
  readonly hardware: Hardware;
  readonly memberships: MembershipStore;
}
