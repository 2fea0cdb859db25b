import { errorCode, errorMessage, type Clock, type Logger, type Random } from '@clawbernetes/kernel';
import { apiError, meaningOf, openApiDocument } from '@clawbernetes/protocol';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { gatewayError } from '../errors.ts';
import type { Gateway } from '../gateway.ts';
import type { SettlementSource } from '../settlement/settlement-keeper.ts';
import { VERSION } from '../version.ts';
import { authenticate, type ApiContextDeps } from './api-context.ts';
import { describeError, MAX_BODY_BYTES } from './describe-error.ts';
import { eventStream } from './event-stream.ts';
import { logStream } from './log-stream.ts';
import { metricsText } from './metrics-text.ts';
import { attachWebSockets } from './web-sockets.ts';

/** For a whole request to arrive, ms; its answer may take longer. */
const REQUEST_MS = 60_000;

export interface HttpServerDeps extends ApiContextDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The gateway as it is now. @throws CodedError `storage-…` while it cannot serve. */
  readonly gateway: () => Gateway;
  readonly settlement?: Pick<SettlementSource, 'status' | 'figures'>;
}

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly maxFrameBytes: number;
  readonly handshakeMs: number;
  readonly pingMs: number;
}

export interface HttpServer extends AsyncDisposable {
  readonly url: string;
}

/**
 * The one TCP port of a gateway: API, streams, node protocol, health and metrics. @throws CodedError
 * `port-in-use`.
 */
export async function openHttpServer(deps: HttpServerDeps, options: HttpServerOptions): Promise<HttpServer> {
  const server = fastify({
    bodyLimit: MAX_BODY_BYTES,
    logger: false,
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply) => void sendError(deps, reply as FastifyReply, error),
    requestTimeout: REQUEST_MS,
    http: { headersTimeout: options.handshakeMs, connectionsCheckingInterval: options.handshakeMs / 2 },
    routerOptions: { maxParamLength: 128 },
  });
  server.setErrorHandler((error, _request, reply) => sendError(deps, reply, error));
  server.setNotFoundHandler((request, reply) =>
    sendError(
      deps,
      reply,
      apiError(
        'not-found',
        `There is nothing at ${request.method} ${request.url.slice(0, 200)}; /api/openapi.json lists what there is.`,
      ),
    ),
  );
  addOpenRoutes(deps, server);
  addApiRoutes(deps, server);
  const sockets = attachWebSockets(deps, server.server, options);
  const url = await listen(server, options);
  return {
    url,
    async [Symbol.asyncDispose]() {
      sockets.close();
      await server.close();
    },
  };
}

function addOpenRoutes(deps: HttpServerDeps, server: FastifyInstance): void {
  server.get('/healthz', () => {
    const settlement = deps.settlement?.status().state;
    return { status: 'ok', version: VERSION, ...(settlement && { settlement }) };
  });
  server.get('/readyz', () => ({ status: 'ready', gatewayId: deps.gateway().id }));
}

function addApiRoutes(deps: HttpServerDeps, server: FastifyInstance): void {
  server.post<{ Params: { name: string } }>('/api/commands/:name', async (request, reply) => {
    const context = authenticate(deps, request, goneSignal(reply));
    reply.header('x-request-id', context.requestId);
    return deps.gateway().execute(request.params.name, request.body, context);
  });
  server.get<{ Params: { reference: string } }>('/api/workloads/:reference/logs', (request, reply) =>
    logStream(deps, request, reply, authenticate(deps, request, goneSignal(reply))),
  );
  server.get('/api/events', (request, reply) =>
    eventStream(deps, request, reply, authenticate(deps, request, goneSignal(reply))),
  );
  server.get('/api/openapi.json', (request, reply) => {
    authenticate(deps, request, goneSignal(reply));
    return openApiDocument(VERSION);
  });
  server.get('/metrics', async (request, reply) => {
    const { signal } = authenticate(deps, request, goneSignal(reply));
    const text = await metricsText(deps.gateway(), deps.settlement, { signal });
    return reply.type('text/plain; version=0.0.4').send(text);
  });
}

/** Aborts when the client is gone before it has its answer. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

function sendError(deps: Pick<HttpServerDeps, 'logger'>, reply: FastifyReply, error: unknown): FastifyReply {
  const described = describeError(error);
  if (described.code === 'internal') {
    deps.logger.error('a request failed', {
      error: errorMessage(error),
      code: errorCode(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
  }
  const { retryAfterMs } = described;
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(retryAfterMs / 1000));
  return reply.code(meaningOf(described.code).status).send(described);
}

async function listen(server: FastifyInstance, { host, port }: HttpServerOptions): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw error;
    const message = `Port ${port} on ${host} is in use by another program; stop it or choose another port with --port.`;
    throw gatewayError('port-in-use', message, { cause: error });
  }
}
