// The scheduler by itself: pure, and without anything else of the fleet.
export { checkDemand, gpuShare, WHOLE_GPU, type Demand } from './cluster/demand.ts';
export { FleetPacking } from './score/fleet-packing.ts';
export { NodeGroups } from './node-groups.ts';
