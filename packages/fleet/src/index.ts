export type { FleetListeners, FleetOptions, NodeOrder } from './fleet-core.ts';
export { DEFAULT_FLEET_OPTIONS } from './fleet-core.ts';
export { Fleet, type FleetDeps } from './fleet.ts';
export type { FleetFigures } from './fleet-survey.ts';
export { fleetSchema } from './migrations.ts';
export type { JoinTokenRecord } from './node/join-tokens.ts';
export type { GpuReading } from './node/gpu-health.ts';
export type { Freeze } from './node/mass-loss-guard.ts';
export { waitsForApproval } from './node/node-table.ts';
export type { NodeRegistration } from './node/node-registry.ts';
export type { AttemptRecord, NodeRecord, WorkloadRecord } from './records.ts';
export { describeRefusal } from './scheduler/gang/describe-refusal.ts';
export type { GangDemand, GangFleet, GangSlices, TopologyConstraint } from './scheduler/gang/gang-demand.ts';
export type {
  GangPlacement,
  GangPlan,
  GangRefusal,
  LevelTrace,
  PlaceFacts,
} from './scheduler/gang/gang-plan.ts';
export { planGang } from './scheduler/gang/plan-gang.ts';
export { nodesByRank, replaceMembers, type GangReplacement } from './scheduler/gang/replace-members.ts';
export type { Placement } from './scheduler/placement.ts';
export { planPlacements, type PendingShape, type Plan } from './scheduler/plan.ts';
export { shapeKey, shapeOf, type Shape } from './scheduler/resources.ts';
export { sliced, type Sliced } from './scheduler/slices.ts';
export type { Snapshot, SnapshotGpu, SnapshotNode } from './scheduler/snapshot.ts';
export { DomainCapacity, type ShapeCapacity } from './scheduler/topology/domain-capacity.ts';
export type { MaskTable, MemberRequest, NvlinkRule } from './scheduler/topology/mask-table.ts';
export {
  maskGpus,
  NodeClasses,
  nodeClassFacts,
  type NodeClass,
  type NodeClassFacts,
} from './scheduler/topology/node-class.ts';
export { topologyPlace, TopologyTree, type TopologyLevel } from './scheduler/topology/topology-tree.ts';
export type { NodeSummary } from './views.ts';
export type { Submission } from './workload/workload-intake.ts';
