export { MemoryMembershipStore } from './memory-membership-store.ts';
export { virtualHardware, type VirtualHardwareOptions } from './virtual-hardware.ts';
export { VirtualSupervisor, type VirtualRun, type VirtualSupervisorOptions } from './virtual-supervisor.ts';
