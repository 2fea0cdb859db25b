import { CodedError } from '@clawbernetes/kernel';

export interface ServerSentEvent {
  readonly id?: string;
  readonly data: string;
}

/** Longest event that is accepted, characters. */
const MAX_EVENT_LENGTH = 4_194_304;

/**
 * Reads `text/event-stream` (HTML standard, section 9.2) from chunks cut anywhere. Comments, event types and
 * retry
 * hints are skipped: the gateway's events say what they are in their data.
 */
export class ServerSentEventReader {
  readonly #decoder = new TextDecoder();
  #pending = '';

  /** The events that `chunk` completes. @throws CodedError `too-large`. */
  *push(chunk: Uint8Array): Generator<ServerSentEvent, void, undefined> {
    this.#pending = (this.#pending + this.#decoder.decode(chunk, { stream: true })).replaceAll('\r\n', '\n');
    for (let end = this.#pending.indexOf('\n\n'); end >= 0; end = this.#pending.indexOf('\n\n')) {
      const event = parseEvent(this.#pending.slice(0, end));
      this.#pending = this.#pending.slice(end + 2);
      if (event) yield event;
    }
    if (this.#pending.length > MAX_EVENT_LENGTH) {
      throw new CodedError(`An event is longer than ${MAX_EVENT_LENGTH} characters.`, { code: 'too-large' });
    }
  }
}

function parseEvent(block: string): ServerSentEvent | undefined {
  const data: string[] = [];
  let id: string | undefined;
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === 'data') data.push(value);
    if (field === 'id') id = value;
  }
  if (data.length === 0) return undefined;
  return { ...(id === undefined ? {} : { id }), data: data.join('\n') };
}
