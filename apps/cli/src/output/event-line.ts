import type { EventView } from '@clawbernetes/protocol';
import type { Colours } from './colours.ts';
import { oneLine } from './phrases.ts';

/** One event on one line: when, what, whom, why. */
export function eventLine(
  colours: Colours,
  event: EventView,
  { subject = true }: { readonly subject?: boolean } = {},
): string {
  const time = new Date(event.timeMs).toISOString().replace('T', ' ').slice(0, 19);
  return [
    colours.dim(time),
    colours.cyan(event.type.padEnd(20)),
    ...(subject ? [event.subject] : []),
    oneLine(event.message, 200),
    colours.dim(`(${event.cause})`),
  ].join('  ');
}
