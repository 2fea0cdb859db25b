import { apiError, hasEnded } from '@clawbernetes/protocol';
import { workloadKey } from '../logs/follow-log.ts';
import type { CommandContext, HandlerDeps } from './handler-context.ts';

/** Resolves when the workload has ended, `waitMs` have passed or the caller is gone. */
export async function waitForWorkload(
  { clock, fleet, changes, options }: HandlerDeps,
  workloadId: string,
  waitMs: number,
  { signal }: Pick<CommandContext, 'signal'>,
): Promise<void> {
  const deadline = clock.monotonicMs() + waitMs;
  for (;;) {
    const workload = fleet.findWorkload(workloadId);
    const leftMs = deadline - clock.monotonicMs();
    if (!workload || hasEnded(workload.state) || leftMs <= 0 || signal.aborted) return;
    if (changes.size >= options.maxWaiters) {
      throw apiError('overloaded', 'Too many requests wait already; ask without waitMs.', {
        retryAfterMs: 1000,
      });
    }
    await changes.next([workloadKey(workloadId)], leftMs, { signal });
  }
}
