import type { Context } from '../../context.ts';

/** What one may do now, for people; commands below the sentence that says what for. */
export function remarkNext(
  context: Context,
  ...steps: readonly (readonly [why: string, command: string])[]
): void {
  if (context.format === 'json') return;
  context.remark(steps.map(([why, command]) => `${why}\n  clawbernetes ${command}`).join('\n'));
}
