export { openAgentFarm, type AgentFarm, type AgentFarmOptions } from './agent-farm.ts';
export { DockerEngine, dockerEngineMissing } from './docker-engine.ts';
export { MemoryMembershipStore } from './memory-membership-store.ts';
export { virtualHardware, type VirtualHardwareOptions } from './virtual-hardware.ts';
export {
  scriptOf,
  milliOf,
  VirtualSupervisor,
  type VirtualRun,
  type VirtualSupervisorOptions,
} from './virtual-supervisor.ts';
