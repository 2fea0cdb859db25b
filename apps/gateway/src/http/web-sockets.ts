import { errorMessage, every, type Clock, type Logger } from '@clawbernetes/kernel';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { CommandContext } from '../commands/handler-context.ts';
import type { Gateway } from '../gateway.ts';
import { authenticate, type ApiContextDeps } from './api-context.ts';
import { describeError } from './describe-error.ts';
import { WebSocketChannel } from './web-socket-channel.ts';

/** A peer that answers no ping for two periods is gone, however open its socket looks. */
const PING_MS = 15_000;
/** Bytes that a live-update client may leave unread. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

interface Deps extends ApiContextDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly gateway: () => Gateway;
}

/** `/node` speaks the node protocol, `/api/ws` sends live events as JSON from the sequence number `from` on. */
export function attachWebSockets(
  deps: Deps,
  server: Server,
  { maxFrameBytes }: { readonly maxFrameBytes: number },
): { close: () => void } {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
  });
  const silent = new WeakSet<WebSocket>();
  sockets.on('connection', (socket) => socket.on('pong', () => silent.delete(socket)));
  const pings = every(deps.clock, PING_MS, () => {
    for (const socket of sockets.clients) {
      if (silent.has(socket)) socket.terminate();
      silent.add(socket);
      socket.ping();
    }
  });
  server.on('upgrade', (request, stream, head) => {
    const path = new URL(request.url ?? '/', 'http://gateway').pathname;
    const accept = (then: (socket: WebSocket) => void): void => {
      sockets.handleUpgrade(request, stream, head, (socket) => {
        sockets.emit('connection', socket, request);
        then(socket);
      });
    };
    try {
      if (path === '/node') accept(nodeAcceptor(deps, request));
      else if (path === '/api/ws') accept(eventAcceptor(deps, request));
      else refuse(stream, 404, 'there is no WebSocket here; nodes connect to /node');
    } catch (error) {
      refuse(stream, 401, describeError(error).message);
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

function nodeAcceptor(deps: Deps, request: IncomingMessage): (socket: WebSocket) => void {
  const gateway = deps.gateway();
  const remote = `${request.socket.remoteAddress ?? 'unknown'}:${request.socket.remotePort ?? 0}`;
  return (socket) => gateway.acceptNode(new WebSocketChannel(socket, remote));
}

function eventAcceptor(deps: Deps, request: IncomingMessage): (socket: WebSocket) => void {
  const controller = new AbortController();
  const context = authenticate(deps, request, controller.signal);
  return (socket) => {
    socket.on('error', () => undefined);
    socket.once('close', () => controller.abort());
    void sendEvents(deps.gateway(), request, socket, context).catch((error: unknown) => {
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
  const from = Number(new URL(request.url ?? '/', 'http://gateway').searchParams.get('from') ?? NaN);
  const start = Number.isSafeInteger(from) && from >= 0 ? from : gateway.fleet.eventSequence + 1;
  for await (const page of gateway.feed.follow(start, { signal })) {
    for (const event of page) socket.send(JSON.stringify(event));
    if (socket.bufferedAmount > MAX_UNREAD_BYTES)
      return socket.close(1013, 'too slow; reconnect from the last sequence');
  }
}

function refuse(stream: Duplex, status: number, message: string): void {
  stream.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${message}\n`,
  );
}
