import type { CommandInput, CommandName, CommandOutput, EventView } from '@clawbernetes/protocol';

export interface ApiReply<T = unknown> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

export interface ApiFailure {
  readonly code: string;
  readonly message: string;
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
}

/** The API over real HTTP, without anything between a test and the wire. */
export class ApiClient {
  readonly url: string;
  readonly token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.token = token;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${this.token}`, ...(init.headers as Record<string, string>) };
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  async post(
    name: string,
    body: string,
    headers: Record<string, string> = {},
  ): Promise<ApiReply<ApiFailure>> {
    const json = { 'content-type': 'application/json', ...headers };
    const reply = await this.fetch(`/api/commands/${name}`, { method: 'POST', body, headers: json });
    return { status: reply.status, body: (await reply.json()) as ApiFailure, headers: reply.headers };
  }

  /** The answer of a command that must succeed. */
  async call<Name extends CommandName>(name: Name, input: CommandInput<Name>): Promise<CommandOutput<Name>> {
    const { status, body } = await this.post(name, JSON.stringify(input));
    if (status !== 200) throw new Error(`${name}: ${status} ${JSON.stringify(body)}`);
    return body as unknown as CommandOutput<Name>;
  }

  /** The answer of a command that must fail. */
  async refusal(name: string, input: unknown): Promise<ApiFailure & { status: number }> {
    const { status, body } = await this.post(name, JSON.stringify(input));
    if (status === 200) throw new Error(`${name} succeeded: ${JSON.stringify(body)}`);
    return { ...body, status };
  }

  /** Live events, until `until` is satisfied or the stream ends. */
  async events(
    { from, lastEventId }: { from?: number; lastEventId?: number },
    until: (events: readonly EventView[]) => boolean,
  ): Promise<EventView[]> {
    const abort = new AbortController();
    const reply = await this.fetch(`/api/events${from === undefined ? '' : `?from=${from}`}`, {
      signal: abort.signal,
      headers: lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) },
    });
    const events: EventView[] = [];
    try {
      for await (const { data } of serverSentEvents(reply)) {
        events.push(JSON.parse(data) as EventView);
        if (until(events)) break;
      }
    } catch (error) {
      // A gateway that is killed cuts its streams; what came before counts.
      if (!(error instanceof TypeError)) throw error;
    }
    abort.abort();
    return events;
  }
}

export interface ServerSentEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data: string;
}

/** Parses a stream of server-sent events; comments are left out. */
export async function* serverSentEvents(reply: Response): AsyncGenerator<ServerSentEvent, void, undefined> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of reply.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true }); // bytes, by the Fetch standard
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event) yield event;
    }
  }
}

function parseBlock(block: string): ServerSentEvent | undefined {
  const fields = new Map(
    block.split('\n').map((line) => [line.split(': ', 1)[0], line.replace(/^\w*: /, '')]),
  );
  const [id, event, data] = [fields.get('id'), fields.get('event'), fields.get('data')];
  if (data === undefined) return undefined;
  return { data, ...(id === undefined ? {} : { id }), ...(event === undefined ? {} : { event }) };
}
