import { canonicalJson, newId, type Clock, type Json, type Random, type Timer } from '@clawbernetes/kernel';
import { apiError, isApiErrorCode, type NodeBody } from '@clawbernetes/protocol';
import type { NodeSession } from './node-session.ts';

type CommandResult = Extract<NodeBody, { case: 'commandResult' }>['value'];

/** Commands under way to one node. */
const MAX_PER_NODE = 64;
/** On top of the command's own time, for the way there and back. */
const TRAVEL_MS = 5_000;

interface Waiting {
  readonly nodeId: string;
  readonly resolve: (output: Json) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/**
 * Commands that a node answers: sent over its connection, matched by request id, bounded in number and time.
 */
export class ForwardedCommands {
  readonly #deps: { readonly clock: Clock; readonly random: Random };
  readonly #sessionOf: (nodeId: string) => NodeSession | undefined;
  readonly #waiting = new Map<string, Waiting>();

  constructor(
    deps: { readonly clock: Clock; readonly random: Random },
    sessionOf: (nodeId: string) => NodeSession | undefined,
  ) {
    this.#deps = deps;
    this.#sessionOf = sessionOf;
  }

  /** @throws CodedError `node-unreachable`, `overloaded`, `timeout`, or what the node answered. */
  async send(
    node: { readonly id: string; readonly name: string },
    name: string,
    params: Json,
    deadlineMs: number,
  ): Promise<Json> {
    const session = this.#sessionOf(node.id);
    if (!session)
      throw apiError(
        'node-unreachable',
        `${node.name} is not connected; try again when node list shows it connected.`,
      );
    const underWay = this.#waiting.values().filter(({ nodeId }) => nodeId === node.id);
    if ([...underWay].length >= MAX_PER_NODE) {
      throw apiError('overloaded', `${MAX_PER_NODE} commands to ${node.name} are under way already.`, {
        retryAfterMs: 1000,
      });
    }
    const requestId = newId('rq', this.#deps.clock, this.#deps.random);
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    const late = apiError('timeout', `${node.name} did not answer ${name} within ${deadlineMs} ms.`);
    const timer = this.#deps.clock.after(deadlineMs + TRAVEL_MS, () => this.#fail(requestId, late));
    this.#waiting.set(requestId, { nodeId: node.id, resolve, reject, timer });
    session.send({
      case: 'command',
      value: { requestId, name, params: Buffer.from(canonicalJson(params)), deadlineMs },
    });
    return promise;
  }

  readonly settle = (result: CommandResult): void => {
    const waiting = this.#take(result.requestId);
    if (!waiting) return;
    if (result.error) {
      const { code, message } = result.error;
      return waiting.reject(apiError(isApiErrorCode(code) ? code : 'internal', message));
    }
    try {
      waiting.resolve(JSON.parse(Buffer.from(result.output).toString('utf8')) as Json);
    } catch (cause) {
      waiting.reject(apiError('internal', 'The node answered something that is not JSON.', {}, { cause }));
    }
  };

  /** The node's connection is gone, and the answers with it. */
  abandon(nodeId: string): void {
    const gone = apiError(
      'node-unreachable',
      'The connection to the node was lost before it answered; try again.',
    );
    for (const [requestId, waiting] of this.#waiting)
      if (waiting.nodeId === nodeId) this.#fail(requestId, gone);
  }

  #fail(requestId: string, error: Error): void {
    this.#take(requestId)?.reject(error);
  }

  #take(requestId: string): Waiting | undefined {
    const waiting = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    waiting?.timer.cancel();
    return waiting;
  }
}
