import type { EventView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Call } from '../declare/declaration.ts';
import { invalidArguments } from '../errors.ts';
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
  const { follow = false, from, tail, subject } = options as EventOptions;
  const client = await context.client();
  const { events, next } = await (from === undefined || tail !== undefined
    ? readLastEvents(client, { from: from ?? 0, subject }, tail ?? DEFAULT_TAIL)
    : readEvents(client, from, subject));
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

async function readLastEvents(
  client: Client,
  { from, subject }: { readonly from: number; readonly subject: string | undefined },
  count: number,
): Promise<{ events: EventView[]; next: number }> {
  if (count > PAGE) {
    throw invalidArguments(`--tail shows at most ${PAGE} events; use --from to read on from an older one.`);
  }
  const query = {
    from,
    limit: Math.max(1, count),
    newest: true,
    ...(subject === undefined ? {} : { subject }),
  };
  const { events, next } = await client.command('event.list', query);
  return { events: count === 0 ? [] : events, next };
}

/** All pages to the present end. */
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
