import type { EventView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Call } from '../declare/declaration.ts';
import { eventLine } from '../output/event-line.ts';

interface EventOptions {
  readonly follow?: boolean;
  readonly from?: number;
  readonly tail?: number;
  readonly subject?: string;
}

const PAGE = 1000;
const DEFAULT_TAIL = 50;

export async function showEvents({ context, options }: Call): Promise<void> {
  const { follow = false, from = 0, tail, subject } = options as EventOptions;
  const client = await context.client();
  const { events: all, next } = await readEvents(client, from, subject);
  const wanted = tail ?? (from > 0 ? all.length : DEFAULT_TAIL);
  const events = wanted === 0 ? [] : all.slice(-wanted);
  const { colours } = context.terminal;
  if (!follow) {
    await context.print({ events, next }, () => events.map((event) => eventLine(colours, event)).join('\n'));
    return;
  }
  const write = (event: EventView): void => {
    const line = context.format === 'json' ? JSON.stringify(event) : eventLine(colours, event);
    context.terminal.stdout.write(`${line}\n`);
  };
  events.forEach(write);
  for await (const event of client.events({ from: next })) {
    if (subject === undefined || event.subject === subject) write(event);
  }
}

/** Pages to the present end. A caller that wants only the last ones still has to pass the others. */
async function readEvents(
  client: Client,
  from: number,
  subject: string | undefined,
): Promise<{ events: EventView[]; next: number }> {
  const events: EventView[] = [];
  let next = from;
  for (;;) {
    const page = await client.command('event.list', {
      from: next,
      limit: PAGE,
      ...(subject === undefined ? {} : { subject }),
    });
    events.push(...page.events);
    next = page.next;
    if (page.events.length < PAGE) return { events, next };
  }
}
