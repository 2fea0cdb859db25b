import type { StartEstimate, WaitExplanation } from '@clawbernetes/protocol';
import { formatTime } from './reserved-words.ts';

/** When a gang starts, told by time limits; of other work what is told already. */
export function gangEstimate(
  { start, ahead }: Pick<WaitExplanation, 'start' | 'ahead'>,
  found: { readonly startMs: number; readonly graceMs: number } | undefined,
  nowMs: number,
): StartEstimate {
  if (!found || start.estimate === 'range') return start;
  const { startMs: toMs, graceMs } = found;
  if (ahead > 0)
    return {
      estimate: 'unknown',
      message:
        `By time limits there is room for all of it from ${formatTime(toMs)} on, ` +
        'unless what has waited longer takes it.',
    };
  const fromMs = Math.max(nowMs, toMs - graceMs);
  return {
    ...{ estimate: 'range', fromMs, toMs },
    message: 'If what runs there uses all of its time; sooner if it ends sooner.',
  };
}
