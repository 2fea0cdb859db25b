import type { WorkloadView } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import { ranFor } from '../output/phrases.ts';
import { outcome, placeOf } from '../output/workload-phrases.ts';

/** How, where and for how long it ran, with what was not enforced; the last line on stderr. */
export function closingLine(
  { terminal: { errorColours: colours }, clock }: Context,
  view: WorkloadView,
): string {
  const succeeded = view.state === 'succeeded';
  const mark = succeeded ? colours.green('✓') : colours.red('✗');
  const ran =
    view.startedAtMs === undefined
      ? ''
      : ` after ${ranFor(view.startedAtMs, view.finishedAtMs, clock.nowMs())}`;
  const place = view.attempt ? ` on ${placeOf(colours, view)}` : '';
  const lines = [`${mark} ${view.name} ${outcome(view)}${ran}${place}`];
  if (!succeeded && view.message !== undefined) lines.push(`  ${view.message}`);
  for (const limitation of view.attempt?.limitations ?? [])
    lines.push(colours.dim(`  not enforced: ${limitation}`));
  return lines.join('\n');
}
