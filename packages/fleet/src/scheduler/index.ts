// The scheduler by itself: pure, and without anything else of the fleet.
export { checkDemand, gpuShare, WHOLE_GPU, type Demand } from './cluster/demand.ts';
export { FleetPacking } from './score/fleet-packing.ts';
export { NodeGroups } from './node-groups.ts';
export { explainGang } from './gang/explain-gang.ts';
export { FleetTopology } from './gang/fleet-topology.ts';
export { isGang, type ShapeOfGang } from './gang/member-shape.ts';
export { alikeNodes } from './why/alike.ts';
