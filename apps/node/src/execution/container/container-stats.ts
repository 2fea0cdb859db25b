import { CodedError } from '@clawbernetes/kernel';
import type { ExecutionStats } from '../executor.ts';
import type { EngineReply } from './engine-reply.ts';

const NANOSECONDS_PER_MS = 1_000_000;

/**
 * From `GET /containers/{id}/stats`. Memory is without the page cache that the kernel can take back at once,
 * as `docker stats` shows it: `total_inactive_file` with cgroup v1, `inactive_file` with v2.
 * @throws CodedError `attempt-not-running` if the engine has none: it answers an empty skeleton then.
 */
export function containerStats(reply: EngineReply): ExecutionStats {
  const memory = reply.at('memory_stats');
  const usage = memory.at('usage').number();
  const processes = reply.at('pids_stats', 'current').number();
  if (usage === undefined || processes === undefined) {
    throw new CodedError('The workload is not running, so there is nothing to measure.', {
      code: 'attempt-not-running',
    });
  }
  const details = memory.at('stats');
  const cache = details.at('total_inactive_file').number() ?? details.at('inactive_file').number() ?? 0;
  const peak = memory.at('max_usage').number();
  const throttled = reply.at('cpu_stats', 'throttling_data', 'throttled_time').number();
  return {
    cpuMs: milliseconds(reply.at('cpu_stats', 'cpu_usage', 'total_usage').number() ?? 0),
    memoryBytes: Math.max(0, usage - cache),
    processes,
    ...(peak === undefined ? {} : { memoryPeakBytes: peak }),
    ...(throttled === undefined ? {} : { throttledMs: milliseconds(throttled) }),
  };
}

function milliseconds(nanoseconds: number): number {
  return Math.round(nanoseconds / NANOSECONDS_PER_MS);
}
