import { probeRecord, type GpuDetectionDeps, type ProbeRecord } from './gpu-detection.ts';
import type { ProbeResult } from './probe-runner.ts';
import { parseXidEvents, type XidEvent } from './xid-events.ts';

const KERNEL_LOGS = [
  { program: 'dmesg', args: [] },
  { program: 'journalctl', args: ['-k', '-b', '-o', 'short-monotonic', '--no-pager', '-n', '10000'] },
] as const;

/** Xid errors since boot, as far as this user may read the kernel log. */
export async function readXids({ clock, probes }: GpuDetectionDeps): Promise<{
  readonly events: readonly XidEvent[];
  readonly probes: readonly ProbeRecord[];
}> {
  const startedMs = clock.monotonicMs();
  let last: ProbeResult | undefined;
  for (const command of KERNEL_LOGS) {
    last = await probes.run(command);
    if (last.outcome !== 'finished' || last.exitCode !== 0) continue;
    const events = parseXidEvents(last.stdout);
    const detail = events.length > 0 ? `${events.length} Xid lines` : 'no Xid';
    return { events, probes: [probeRecord(clock, startedMs, { name: 'xid', outcome: 'found', detail })] };
  }
  const why =
    last === undefined || last.outcome === 'finished' ? 'it may only be read by root' : last.message;
  const detail =
    `The kernel log cannot be read (${why}), so Xid errors are not seen. ` +
    'Run the agent as root or set kernel.dmesg_restrict=0.';
  const outcome = last?.outcome === 'timed-out' ? 'timed-out' : 'failed';
  return { events: [], probes: [probeRecord(clock, startedMs, { name: 'xid', outcome, detail })] };
}
