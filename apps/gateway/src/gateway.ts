import type { CodedError } from '@clawbernetes/kernel';
import { Fleet, fleetSchema, type NodeOrder } from '@clawbernetes/fleet';
import { gatewayIdOf } from '@clawbernetes/identity';
import type { FrameChannel } from '@clawbernetes/protocol';
import { Changes } from './changes.ts';
import { CommandRouter } from './commands/command-router.ts';
import type { CommandContext } from './commands/handler-context.ts';
import { EventFeed } from './events/event-feed.ts';
import { asCoded } from './errors.ts';
import type { GatewayOptions } from './gateway-options.ts';
import type { GatewayHost } from './host.ts';
import {
  beginOf,
  followLog,
  logStart,
  workloadKey,
  type LogPiece,
  type LogRequest,
  type LogStart,
} from './logs/follow-log.ts';
import { WorkloadLogs } from './logs/workload-logs.ts';
import { NodeMetrics } from './sessions/node-metrics.ts';
import { NodeSessions } from './sessions/node-sessions.ts';

/** A running control plane, without its HTTP edge: nodes come in as channels, commands as calls. */
export interface Gateway extends AsyncDisposable {
  readonly id: string;
  readonly fleet: Fleet;
  readonly feed: EventFeed;
  readonly metrics: NodeMetrics;
  acceptNode(channel: FrameChannel): void;
  /** @throws CodedError with an ApiErrorCode. */
  execute(name: string, input: unknown, context: CommandContext): Promise<unknown>;
  /** @throws CodedError `not-found`. */
  followLog(
    reference: string,
    request: LogRequest,
    context: Pick<CommandContext, 'namespace' | 'signal'>,
  ): { readonly start: LogStart; readonly pieces: AsyncGenerator<LogPiece, void, undefined> };
  /**
   * The store can no longer be written: memory is ahead of it, so this gateway must be closed and opened
   * anew.
   */
  onFailed(listener: (error: CodedError) => void): void;
}

/**
 * Opens the control plane on a host. The simulator calls this with a virtual host, `claw-gateway` with the
 * real one.
 */
export async function openGateway(host: GatewayHost, options: GatewayOptions): Promise<Gateway> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await host.openStore(fleetSchema));
  const changes = new Changes(host.clock);
  const { segments } = host;
  const logs = new WorkloadLogs(
    { logger: host.logger, changes, ...(segments ? { segments } : {}) },
    { folder: options.logFolder, maxLogBytes: options.maxLogBytes },
  );
  stack.defer(() => logs.close());
  const metrics = new NodeMetrics();
  const sessions = new NodeSessions({ ...host, logs, metrics }, options);
  const listeners = {
    order: (nodeId: string, order: NodeOrder) => sessions.order(nodeId, order),
    ended: (workloadId: string) => changes.notify(workloadKey(workloadId)),
    removed: (attemptIds: readonly string[]) => logs.remove(attemptIds),
  };
  const arrivedMs = (nodeId: string): number | undefined => sessions.arrivedMs(nodeId);
  const fleet = stack.use(await Fleet.open({ ...host, store, listeners, arrivedMs }, options.fleet));
  const feed = new EventFeed(changes, fleet);
  fleet.onEvents((events) => {
    feed.publish(events);
    for (const { type, subject } of events)
      if (type.startsWith('attempt.')) changes.notify(workloadKey(subject));
  });
  stack.defer(() => sessions.closeAll('the gateway stops'));
  stack.defer(() => changes.notifyAll());
  const router = new CommandRouter({
    ...host,
    fleet,
    logs,
    changes,
    sessions,
    options,
    writerTerm: store.term,
    startedAtMs: host.clock.nowMs(),
  });
  const owned = stack.move();
  return {
    id: gatewayIdOf(host.key.publicKey),
    fleet,
    feed,
    metrics,
    acceptNode: (channel) => sessions.accept(channel, fleet, store.term),
    execute: (name, input, context) => router.execute(name, input, context),
    followLog: (reference, request, { namespace, signal }) => {
      const workload = fleet.workload(namespace, reference);
      const start = logStart({ fleet, logs }, workload, request);
      const { follow, rank } = request;
      const whose = start.attempt === undefined ? {} : { attempt: start.attempt };
      const from = {
        position: beginOf(request, start),
        follow,
        ...whose,
        ...(rank === undefined ? {} : { rank }),
      };
      return { start, pieces: followLog({ fleet, logs, changes }, workload, from, { signal }) };
    },
    onFailed: (listener) => {
      store.onFailed(listener);
      fleet.onFailed((error) => listener(asCoded(error)));
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
