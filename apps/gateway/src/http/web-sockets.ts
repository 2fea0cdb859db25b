import { errorMessage, every, PacedLine, type Clock, type Logger } from '@clawbernetes/kernel';
import { apiError, meaningOf } from '@clawbernetes/protocol';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { CommandContext } from '../commands/handler-context.ts';
import type { Gateway } from '../gateway.ts';
import { authenticate, type ApiContextDeps } from './api-context.ts';
import { describeError } from './describe-error.ts';
import { WebSocketChannel } from './web-socket-channel.ts';

/** From our word that a connection ends to its end, for a peer that does not answer, ms. */
const CLOSE_MS = 2_000;
/** Bytes that a live-update client may leave unread. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
/** Frames of nodes are handled for so long at a time, ms. */
const FRAMES_MS = 5;

interface Deps extends ApiContextDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly gateway: () => Gateway;
}

interface Accepting extends Deps {
  /** Of the frames of all nodes. */
  readonly line: PacedLine;
}

/**
 * `/node` speaks the node protocol, `/api/ws` sends live events as JSON from the sequence number `from` on.
 */
export function attachWebSockets(
  deps: Deps,
  server: Server,
  { maxFrameBytes, pingMs }: { readonly maxFrameBytes: number; readonly pingMs: number },
): { close: () => void } {
  // A variable, because the types of ws do not know closeTimeout yet.
  const settings = {
    noServer: true,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    closeTimeout: CLOSE_MS,
  };
  const sockets = new WebSocketServer(settings);
  const line = new PacedLine(deps.clock, FRAMES_MS);
  const silent = new WeakSet<WebSocket>();
  // A pong comes behind all that was sent before it, and is not read while that waits for its turn.
  sockets.on('connection', (socket) => {
    socket.on('pong', () => silent.delete(socket)).on('message', () => silent.delete(socket));
  });
  const pings = every(deps.clock, pingMs, () => {
    for (const socket of sockets.clients) {
      if (socket.isPaused) {
        silent.delete(socket);
        continue;
      }
      if (silent.has(socket)) socket.terminate();
      silent.add(socket);
      socket.ping();
    }
  });
  server.on('upgrade', (request, stream, head) => {
    const accept = (then: (socket: WebSocket) => void): void => {
      sockets.handleUpgrade(request, stream, head, (socket) => {
        sockets.emit('connection', socket, request);
        then(socket);
      });
    };
    try {
      accept(acceptor({ ...deps, line }, request));
    } catch (error) {
      refuse(stream, error);
    }
  });
  return {
    close: () => {
      pings.cancel();
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

/**
 * @throws CodedError `not-found`, `unauthenticated`, or `storage-…` while there is no gateway to serve it.
 */
function acceptor(deps: Accepting, request: IncomingMessage): (socket: WebSocket) => void {
  const [path] = (request.url ?? '/').split('?');
  if (path === '/node') return nodeAcceptor(deps, request);
  if (path === '/api/ws') return eventAcceptor(deps, request);
  throw apiError(
    'not-found',
    'There is no WebSocket here; nodes connect to /node, live events are at /api/ws.',
  );
}

function nodeAcceptor(deps: Accepting, request: IncomingMessage): (socket: WebSocket) => void {
  const gateway = deps.gateway();
  const stream = request.socket;
  const remote = `${stream.remoteAddress ?? 'unknown'}:${stream.remotePort ?? 0}`;
  return (socket) => gateway.acceptNode(new WebSocketChannel(deps, socket, stream, remote));
}

function eventAcceptor(deps: Deps, request: IncomingMessage): (socket: WebSocket) => void {
  const controller = new AbortController();
  const context = authenticate(deps, request, controller.signal);
  const gateway = deps.gateway();
  return (socket) => {
    socket.on('error', () => undefined);
    socket.once('close', () => controller.abort());
    void sendEvents(gateway, request, socket, context).catch((error: unknown) => {
      deps.logger.warn('a live-update connection failed', { error: errorMessage(error) });
      socket.close(1011);
    });
  };
}

async function sendEvents(
  gateway: Gateway,
  request: IncomingMessage,
  socket: WebSocket,
  { signal }: CommandContext,
): Promise<void> {
  const from = Number(new URLSearchParams(request.url?.split('?')[1]).get('from') ?? NaN);
  const start = Number.isSafeInteger(from) && from >= 0 ? from : gateway.fleet.eventSequence + 1;
  for await (const page of gateway.feed.follow(start, { signal })) {
    for (const event of page) socket.send(JSON.stringify(event));
    if (socket.bufferedAmount > MAX_UNREAD_BYTES)
      return socket.close(1013, 'too slow; reconnect from the last sequence');
  }
}

function refuse(stream: Duplex, error: unknown): void {
  const described = describeError(error);
  const body = JSON.stringify(described);
  // Whoever is refused may be gone already.
  stream.on('error', () => undefined);
  stream.end(
    `HTTP/1.1 ${meaningOf(described.code).status} Refused\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => stream.destroy(),
  );
}
