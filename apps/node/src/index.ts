export type { ConnectionEnd } from './agent/connection.ts';
export { exitCodeOf, isNodeError, type NodeError, type NodeErrorCode } from './errors.ts';
export type { FeatureSwitch } from './features.ts';
export type { Hardware, Membership, MembershipStore, MetricsSample, NodeHost } from './host.ts';
export { NODE_DEFAULTS, NodeAgent, openNode, type NodeOptions, type NodePhase } from './node.ts';
export type { Supervisor } from './supervisor/supervisor.ts';
