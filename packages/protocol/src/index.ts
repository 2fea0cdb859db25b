export {
  END_REASONS,
  isTerminal,
  NODE_ATTEMPT_STATES,
  type AttemptStatus,
  type EndReason,
  type NodeAttemptState,
} from './attempt.ts';
export { attemptsDigestText } from './attempts-digest.ts';
export { COMMON_ERRORS, type CommandDefinition, type CommandTier } from './commands/command.ts';
export { MAX_CONFIG_BYTES } from './commands/config-commands.ts';
export {
  COMMAND_NAMES,
  commands,
  isCommandName,
  type CommandInput,
  type CommandName,
  type CommandOutput,
  type CommandRequest,
} from './commands/registry.ts';
export { MAX_WAIT_MS } from './commands/workload-commands.ts';
export { compareEpochs, type Epoch } from './epoch.ts';
export {
  API_ERROR_CODES,
  apiError,
  isApiErrorCode,
  meaningOf,
  type ApiErrorCode,
  type ApiErrorFacts,
} from './errors.ts';
export type { FrameChannel } from './frame-channel.ts';
export {
  DEFAULT_MAX_FRAME_BYTES,
  decodeGatewayFrame,
  decodeNodeFrame,
  encodeGatewayFrame,
  encodeNodeFrame,
  heartbeatId,
  PROTOCOL_VERSIONS,
  type GatewayBody,
  type NodeBody,
} from './frames.ts';
export { fromWireStatus, toWireEpoch, fromWireEpoch, toWireStatus } from './wire-status.ts';
export {
  FAULT_ACTIONS,
  FAULT_KINDS,
  GPU_LINKS,
  gpuDeviceSchema,
  gpuLinkSchema,
  gpuVendors,
  MAX_GPU_FAULTS,
  nodeInventorySchema,
  type FaultAction,
  type FaultKind,
  type GpuDevice,
  type GpuFault,
  type NodeInventory,
} from './node-inventory.ts';
export {
  MAX_NODE_LABELS,
  MAX_TAINTS,
  type Affinity,
  type LabelTerm,
  type Taint,
  type TaintEffect,
  type Toleration,
} from './placement-spec.ts';
export { openApiDocument } from './open-api.ts';
export { DEFAULT_QUEUE, type QueueSettings, type QueueView, type Quota } from './queue.ts';
export {
  reservationRequestSchema,
  type ReservationPurpose,
  type ReservationRequest,
  type ReservationRequestInput,
  type ReservationView,
  type RunningPolicy,
} from './reservation.ts';
export {
  ATTEMPT_STATES,
  BEGIN_POLICIES,
  CAUSES,
  GPU_CONDITIONS,
  RETRY_POLICIES,
  WAIT_REASONS,
  type AttemptState,
  type AttemptView,
  type BeginPolicy,
  type Cause,
  type ConfigEntry,
  type EventView,
  type GpuConditionState,
  type NodeView,
  type RetryPolicy,
  type WaitReason,
  type WorkloadView,
} from './views.ts';
export {
  DEFAULT_RESERVATION,
  DEFAULT_STOP_GRACE_MS,
  nameSchema,
  workloadSpecSchema,
  type WorkloadSpec,
  type WorkloadSpecInput,
} from './workload-spec.ts';
export {
  MAX_WHY_ITEMS,
  OBSTACLES,
  REMEDY_STEPS,
  type Obstacle,
  type ObstacleCode,
  type ObstacleCount,
  type PlacementReason,
  type Remedy,
  type RemedyStep,
  type StartEstimate,
  type WaitExplanation,
  type WhatIf,
  type WhyView,
} from './why.ts';
export { hasEnded, WORKLOAD_STATES, type WorkloadState } from './workload-state.ts';
