import { CodedError } from '@clawbernetes/kernel';
import { answeredError, notAGateway, unreachable } from './errors.ts';

export type Fetch = typeof globalThis.fetch;

export interface TransportOptions {
  /** Base of the API, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly token?: string | undefined;
}

/** Where the platform's `fetch` enters; wrapped, because browsers insist on its `this`. */
const { fetch: platformFetch } = globalThis;
export const systemFetch: Fetch = (input, init) => platformFetch(input, init);

/** Failures of a connection that had been made. */
const BROKEN: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Authorised requests to one gateway; every failure becomes a CodedError that says what to do. */
export class Transport {
  readonly url: string;
  readonly #fetch: Fetch;
  readonly #authorization: Readonly<Record<string, string>>;
  #reached = false;

  constructor(deps: { readonly fetch: Fetch }, { url, token }: TransportOptions) {
    this.url = url.replace(/\/+$/, '');
    this.#fetch = deps.fetch;
    this.#authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** Something has listened at the address: then its absence is worth waiting for. */
  get reached(): boolean {
    return this.#reached;
  }

  async post(path: string, body: string, { signal }: { signal?: AbortSignal | undefined }): Promise<unknown> {
    const headers = { ...this.#authorization, 'content-type': 'application/json' };
    const response = await this.#send(path, { method: 'POST', headers, body, signal: signal ?? null });
    const answer = await this.#readJson(response, signal);
    if (response.ok && typeof answer === 'object' && answer !== null) return answer;
    throw answeredError(answer) ?? notAGateway(this.url, response.status);
  }

  /** A response whose body is still to come. */
  async open(
    path: string,
    headers: Readonly<Record<string, string>>,
    { signal }: { signal?: AbortSignal | undefined },
  ): Promise<Response> {
    const response = await this.#send(path, {
      headers: { ...this.#authorization, ...headers },
      signal: signal ?? null,
    });
    if (response.ok) return response;
    const answer = await this.#readJson(response, signal);
    throw answeredError(answer) ?? notAGateway(this.url, response.status);
  }

  /** Chunks of a response's body; the connection is dropped when the reader stops early. */
  async *chunks(response: Response, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
    if (!reader) return;
    try {
      for (;;) {
        const { done, value } = await this.#guard(() => reader.read(), signal);
        if (done) return;
        yield value;
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  #send(path: string, init: RequestInit): Promise<Response> {
    return this.#guard(() => this.#fetch(this.url + path, init), init.signal ?? undefined);
  }

  async #readJson(response: Response, signal: AbortSignal | undefined): Promise<unknown> {
    const text = await this.#guard(() => response.text(), signal);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return undefined;
    }
  }

  async #guard<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      const result = await work();
      this.#reached = true;
      return result;
    } catch (error) {
      if (signal?.aborted) {
        throw new CodedError('The request was aborted.', { code: 'aborted' }, { cause: error });
      }
      const failure = unreachable(this.url, error);
      if (BROKEN.has(failure.facts.reason)) this.#reached = true;
      throw failure;
    }
  }
}
