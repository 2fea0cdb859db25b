import type { IncomingMessage } from 'node:http';
import { type Clock, CodedError, errorCode, errorMessage } from '@clawbernetes/kernel';
import { EngineReply } from './engine-reply.ts';

// Not imported: that evaluates every export of the module, and one of them loads undici, which this process
// never uses: 13 MiB of resident memory instead of 1 (Node 24.21).
const { request: httpRequest } = process.getBuiltinModule('node:http');

/** A reply is small JSON; only streams are long. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 30_000;

export type EngineFailure =
  | { readonly code: 'engine-refused'; readonly status: number; readonly said: string }
  | { readonly code: 'engine-unreachable' };

export interface EngineRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** For the whole reply, or for the head of a stream; `none` for calls that wait for something to happen. */
  readonly timeoutMs?: number | 'none';
}

/**
 * HTTP to a Docker-compatible engine over its unix socket. Each call has its own connection (a unix socket
 * connects in 0.1 ms), so an engine's restart never leaves a stale one behind.
 *
 * Why not dockerode: it would add 28 MiB of resident memory to the supervisor (16 of them private), this
 * client with node:http adds 4, measured with Node 24.21 and dockerode 5.0.1. Agent and supervisor together
 * may use 130 MiB, and we need 15 endpoints.
 */
export class EngineClient {
  readonly socketPath: string;
  readonly #clock: Clock;
  #version = '';

  constructor({ clock }: { readonly clock: Clock }, { socketPath }: { readonly socketPath: string }) {
    this.#clock = clock;
    this.socketPath = socketPath;
  }

  /** From now on calls ask for this version of the API, such as `1.41`. */
  useVersion(version: string): void {
    this.#version = `/v${version}`;
  }

  /** @throws CodedError with EngineFailure's facts. */
  async call(request: EngineRequest): Promise<EngineReply> {
    using deadline = this.#deadline(request);
    const response = await this.#open(request, deadline.signal);
    const text = await this.#text(request, response);
    try {
      return new EngineReply(text === '' ? undefined : JSON.parse(text));
    } catch (cause) {
      throw unreachable(request, this.socketPath, cause);
    }
  }

  /** The body as it comes; destroy it when done early. @throws CodedError with EngineFailure's facts. */
  async stream(request: EngineRequest): Promise<IncomingMessage> {
    using deadline = this.#deadline(request);
    const response = await this.#open(request, deadline.signal);
    const { signal } = request;
    if (signal) {
      const abort = (): void => void response.destroy();
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      response.once('close', () => signal.removeEventListener('abort', abort));
    }
    return response;
  }

  async #open(request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const outgoing = httpRequest({
      socketPath: this.socketPath,
      agent: false,
      method: request.method,
      path: `${this.#version}${request.path}${queryText(request.query)}`,
      headers: { host: 'engine', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    });
    const abort = (): void =>
      void outgoing.destroy(new CodedError('The engine did not answer in time.', { code: 'timeout' }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    outgoing.on('response', resolve).on('error', reject).end(body);
    const response = await promise.catch((cause: unknown) => {
      throw unreachable(request, this.socketPath, cause);
    });
    // A connection that dies later surfaces where the body is read; without a listener it would end the
    // process.
    response.on('error', () => undefined);
    const status = response.statusCode ?? 0;
    if (status >= 400) throw refused(request, status, await this.#text(request, response));
    return response;
  }

  async #text(request: EngineRequest, response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > MAX_REPLY_BYTES)
          throw new CodedError('The reply is too long.', { code: 'engine-unreachable' });
        chunks.push(chunk);
      }
    } catch (cause) {
      throw unreachable(request, this.socketPath, cause);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Aborts with the caller's signal, or when the time is up. */
  #deadline({
    signal,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  }: EngineRequest): { readonly signal: AbortSignal } & Disposable {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    const timer = timeoutMs === 'none' ? undefined : this.#clock.after(timeoutMs, abort);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    return {
      signal: controller.signal,
      [Symbol.dispose](): void {
        timer?.cancel();
        signal?.removeEventListener('abort', abort);
      },
    };
  }
}

/** The engine's status code if it answered and refused. */
export function refusalStatus(error: unknown): number | undefined {
  return isEngineError(error) && error.facts.code === 'engine-refused' ? error.facts.status : undefined;
}

/** What the engine said when it refused, else the error's message. */
export function engineWords(error: unknown): string {
  return isEngineError(error) && error.facts.code === 'engine-refused'
    ? error.facts.said
    : errorMessage(error);
}

function isEngineError(error: unknown): error is CodedError<EngineFailure> {
  const code = errorCode(error);
  return code === 'engine-refused' || code === 'engine-unreachable';
}

function queryText(query: EngineRequest['query']): string {
  if (!query) return '';
  const pairs = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]);
  return `?${new URLSearchParams(pairs).toString()}`;
}

function refused({ method, path }: EngineRequest, status: number, body: string): CodedError<EngineFailure> {
  const said = messageOf(body).slice(0, 2000);
  return new CodedError(`The container engine refused ${method} ${path} (${status}): ${said}`, {
    code: 'engine-refused',
    status,
    said,
  });
}

function messageOf(body: string): string {
  try {
    return new EngineReply(JSON.parse(body)).at('message').text() ?? body.trim();
  } catch {
    return body.trim();
  }
}

function unreachable(
  { method, path }: EngineRequest,
  socketPath: string,
  cause: unknown,
): CodedError<EngineFailure> {
  return new CodedError(
    `The container engine at ${socketPath} did not answer ${method} ${path}: ${errorMessage(cause)}`,
    { code: 'engine-unreachable' },
    { cause },
  );
}
