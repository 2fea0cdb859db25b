import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { commands, meaningOf, type ApiErrorCode, type CommandName } from '@clawbernetes/protocol';

export type Handler = (input: Readonly<Record<string, unknown>>, call: number) => unknown;
export type StreamHandler = (url: URL, response: ServerResponse, request: IncomingMessage) => void;

export interface StandInBehaviour {
  readonly commands?: Partial<Record<CommandName, Handler>>;
  readonly logs?: StreamHandler;
  readonly events?: StreamHandler;
}

/** Answered by a handler instead of an output. */
export class Refusal {
  readonly code: ApiErrorCode;
  readonly message: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: ApiErrorCode, message: string, retryAfterMs?: number) {
    this.code = code;
    this.message = message;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Answered by a handler instead of an output: the connection breaks without an answer. */
export const DROP_CONNECTION = Symbol('drop connection');

/**
 * A real HTTP server with the gateway's API, answering what the test says. It holds both sides to the
 * registry: inputs
 * and outputs are checked with its schemas.
 */
export class GatewayStandIn implements AsyncDisposable {
  readonly #server: Server;
  readonly #behaviour: StandInBehaviour;
  readonly #calls = new Map<string, number>();
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[] = [];

  static async open(behaviour: StandInBehaviour, port = 0): Promise<GatewayStandIn> {
    const standIn = new GatewayStandIn(behaviour);
    await new Promise<void>((resolve) => standIn.#server.listen(port, '127.0.0.1', resolve));
    return standIn;
  }

  constructor(behaviour: StandInBehaviour) {
    this.#behaviour = behaviour;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  calls(name: CommandName): number {
    return this.#calls.get(name) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    this.requests.push({ path: url.pathname + url.search, authorization: request.headers.authorization });
    if (url.pathname === '/api/events') return this.#behaviour.events?.(url, response, request);
    if (url.pathname.endsWith('/logs')) return this.#behaviour.logs?.(url, response, request);
    const name = url.pathname.replace('/api/commands/', '') as CommandName;
    this.#command(name, commands[name].input.parse(JSON.parse(await text(request))), response);
  }

  #command(name: CommandName, input: unknown, response: ServerResponse): void {
    const call = this.calls(name) + 1;
    this.#calls.set(name, call);
    const handler = this.#behaviour.commands?.[name];
    if (!handler) throw new Error(`The test did not expect ${name}.`);
    const answer = handler(input as Record<string, unknown>, call);
    if (answer === DROP_CONNECTION) return void (response.socket as Socket).destroy();
    if (answer instanceof Refusal) {
      response.writeHead(meaningOf(answer.code).status, { 'content-type': 'application/json' });
      return void response.end(JSON.stringify(answer));
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(commands[name].output.parse(answer)));
  }
}
