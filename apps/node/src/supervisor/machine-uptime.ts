import { uptime } from 'node:os';

/**
 * Since the machine was started, ms, with the time that it slept: the same for all its processes, and not
 * moved by setting its clock (`CLOCK_BOOTTIME` on Linux).
 */
export function machineUptimeMs(): number {
  return uptime() * 1000;
}
