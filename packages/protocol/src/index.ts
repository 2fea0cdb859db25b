export {
  END_REASONS,
  isTerminal,
  NODE_ATTEMPT_STATES,
  type AttemptStatus,
  type EndReason,
  type NodeAttemptState,
} from './attempt.ts';
export { compareEpochs, type Epoch } from './epoch.ts';
export type { FrameChannel } from './frame-channel.ts';
export {
  GPU_LINKS,
  gpuDeviceSchema,
  gpuLinkSchema,
  gpuVendors,
  nodeInventorySchema,
  type GpuDevice,
  type NodeInventory,
} from './node-inventory.ts';
export {
  DEFAULT_RESERVATION,
  DEFAULT_STOP_GRACE_MS,
  nameSchema,
  workloadSpecSchema,
  type WorkloadSpec,
  type WorkloadSpecInput,
} from './workload-spec.ts';
