import type { Clock, Logger, Random } from '@clawbernetes/kernel';
import { canonicalJson } from '@clawbernetes/kernel';
import type { Fleet, NodeOrder } from '@clawbernetes/fleet';
import type { KeyPair } from '@clawbernetes/identity';
import { toWireEpoch, type FrameChannel } from '@clawbernetes/protocol';
import type { GatewayOptions } from '../gateway-options.ts';
import type { WorkloadLogs } from '../logs/workload-logs.ts';
import { ForwardedCommands } from './forwarded-commands.ts';
import { NodeConnection } from './node-connection.ts';
import { NodeHandshake } from './node-handshake.ts';
import type { NodeMetrics } from './node-metrics.ts';
import type { NodeSession } from './node-session.ts';

const NONCE_BYTES = 32;

export interface NodeSessionsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly key: KeyPair;
  readonly logs: WorkloadLogs;
  readonly metrics: NodeMetrics;
}

/** All connections of nodes: which node speaks over which, and how orders reach it. */
export class NodeSessions {
  readonly commands: ForwardedCommands;
  readonly #deps: NodeSessionsDeps;
  readonly #options: GatewayOptions;
  readonly #connections = new Set<NodeConnection>();
  /** Those of them that have not registered. */
  readonly #unproven = new Set<NodeConnection>();
  readonly #byNode = new Map<
    string,
    { readonly connection: NodeConnection; readonly session: NodeSession }
  >();
  readonly #pending = new Map<string, NodeConnection>();

  constructor(deps: NodeSessionsDeps, options: GatewayOptions) {
    this.#deps = deps;
    this.#options = options;
    this.commands = new ForwardedCommands(deps, (nodeId) => this.#byNode.get(nodeId)?.session);
  }

  /** Takes over a new connection, or closes it when too many have not proven who they are. */
  accept(channel: FrameChannel, fleet: Fleet, writerTerm: number): void {
    if (this.#unproven.size >= this.#options.maxUnprovenConnections) {
      channel.onClose(() => undefined);
      channel.close(1013, 'too many connections; try again later');
      return;
    }
    const handshake = new NodeHandshake(this.#deps.key, this.#deps.random.bytes(NONCE_BYTES));
    const deps = {
      ...this.#deps,
      fleet,
      writerTerm,
      onCommandResult: this.commands.settle,
      onRegister: (connection: NodeConnection) => void this.#unproven.delete(connection),
      onSession: (connection: NodeConnection, session: NodeSession) => this.#begin(connection, session),
      onPending: (connection: NodeConnection, nodeId: string) => this.#wait(connection, nodeId),
      onClosed: (connection: NodeConnection) => this.#end(connection, fleet),
    };
    const connection = new NodeConnection(deps, channel, handshake, this.#options);
    this.#connections.add(connection);
    this.#unproven.add(connection);
  }

  /** Lets a waiting node in. */
  approved(nodeId: string, fleet: Fleet): void {
    const node = fleet.findNode(nodeId);
    const connection = this.#pending.get(nodeId);
    this.#pending.delete(nodeId);
    if (node) connection?.approve(node);
  }

  /** Sends an order, if its node is connected; else desired state repairs it when the node returns. */
  order(nodeId: string, order: NodeOrder): void {
    const session = this.#byNode.get(nodeId)?.session;
    if (session) sendOrder(session, order);
  }

  /** When something came last over the session of a node, handled or not; monotonic ms. */
  arrivedMs(nodeId: string): number | undefined {
    return this.#byNode.get(nodeId)?.connection.arrivedMs;
  }

  closeAll(reason: string): void {
    for (const connection of this.#connections) connection.close(1012, reason);
  }

  #begin(connection: NodeConnection, session: NodeSession): void {
    const before = this.#byNode.get(session.nodeId);
    this.#byNode.set(session.nodeId, { connection, session });
    if (!before) return;
    before.connection.close(4409, 'superseded by a newer connection of the same node');
    this.commands.abandon(session.nodeId);
  }

  #wait(connection: NodeConnection, nodeId: string): void {
    this.#pending.get(nodeId)?.close(4409, 'superseded by a newer connection of the same node');
    this.#pending.set(nodeId, connection);
  }

  #end(connection: NodeConnection, fleet: Fleet): void {
    this.#connections.delete(connection);
    this.#unproven.delete(connection);
    for (const [nodeId, waiting] of this.#pending) if (waiting === connection) this.#pending.delete(nodeId);
    const nodeId = connection.session?.nodeId;
    if (nodeId === undefined || this.#byNode.get(nodeId)?.connection !== connection) return;
    this.#byNode.delete(nodeId);
    this.commands.abandon(nodeId);
    fleet.registry.disconnected(nodeId);
  }
}

function sendOrder(session: NodeSession, order: NodeOrder): void {
  switch (order.kind) {
    case 'start': {
      const { attempt, workload, member } = order;
      if (session.refuses(attempt, workload)) return;
      const spec = Buffer.from(canonicalJson({ ...workload.spec }));
      const { id: attemptId, workloadId, namespace, devices } = attempt;
      const value = {
        attemptId,
        workloadId,
        namespace,
        epoch: toWireEpoch(attempt.epoch),
        spec,
        devices: [...devices],
        ...(member ? { environment: { ...member.environment }, barrier: member.barrier } : {}),
      };
      return session.send({ case: 'startWorkload', value });
    }
    case 'release': {
      const { attemptId, epoch } = order;
      return session.send({ case: 'releaseWorkload', value: { attemptId, epoch: toWireEpoch(epoch) } });
    }
    case 'stop': {
      const { attemptId, epoch, graceMs, graceful, reason } = order;
      return session.send({
        case: 'stopWorkload',
        value: { attemptId, epoch: toWireEpoch(epoch), graceMs, graceful, reason },
      });
    }
    case 'acknowledge': {
      const revisions = order.revisions.map(({ attemptId, revision }) => ({
        attemptId,
        revision: BigInt(revision),
      }));
      return session.send({ case: 'statusAck', value: { revisions } });
    }
  }
}
