// The scheduler by itself: pure, and without anything else of the fleet.
export { Cluster, type ClusterNode, type Given, type StateGroup } from './cluster/cluster.ts';
export { checkDemand, gpuShare, WHOLE_GPU, type Demand } from './cluster/demand.ts';
export { hasRoom, type NodeState } from './cluster/node-state.ts';
export { PlaceFinder, type Place } from './score/place-finder.ts';
export { PackingScorer, type PackedKind, type PackingCost } from './score/packing-scorer.ts';
export { FleetPacking } from './score/fleet-packing.ts';
export { NodeGroups } from './node-groups.ts';
