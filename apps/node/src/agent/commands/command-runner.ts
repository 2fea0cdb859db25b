import {
  canonicalJson,
  CodedError,
  errorCode,
  errorMessage,
  withTimeout,
  type Json,
  type Logger,
} from '@clawbernetes/kernel';
import { apiError, isApiErrorCode } from '@clawbernetes/protocol';
import { z } from 'zod';
import { nodeHealth } from './health-handler.ts';
import {
  isNodeCommandName,
  nodeCommandInputs,
  type CommandContext,
  type NodeCommandHandler,
  type NodeCommandName,
} from './node-command.ts';
import { gpuMetrics, nodeCapabilities, systemInfo } from './system-handlers.ts';
import { containerExec, workloadStats } from './workload-handlers.ts';

/** Commands at a time; more are refused as `overloaded`. */
const MAX_RUNNING = 32;
/** Requests whose repetition is recognised. */
const MAX_REMEMBERED = 1024;
const DEFAULT_DEADLINE_MS = 30_000;
const MAX_DEADLINE_MS = 660_000;
/** A reply must leave room for the rest of its frame. */
const MAX_OUTPUT_BYTES = 1_000_000;

const handlers: { readonly [Name in NodeCommandName]: NodeCommandHandler<Name> } = {
  'system.info': systemInfo,
  'gpu.metrics': gpuMetrics,
  'node.capabilities': nodeCapabilities,
  'node.health': nodeHealth,
  'workload.stats': workloadStats,
  'container.exec': containerExec,
};

export interface CommandOrder {
  readonly requestId: string;
  readonly name: string;
  readonly params: Uint8Array;
  readonly deadlineMs: number;
}

export interface CommandReply {
  readonly requestId: string;
  readonly output: Uint8Array;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Answers the gateway's commands: validated at this edge, each with a deadline, each request id once. */
export class CommandRunner {
  readonly #context: CommandContext;
  readonly #logger: Logger;
  readonly #remembered = new Set<string>();
  #running = 0;

  constructor(context: CommandContext, { logger }: { readonly logger: Logger }) {
    this.#context = context;
    this.#logger = logger;
  }

  /** Never rejects; undefined for a request that was seen before. */
  async run(order: CommandOrder): Promise<CommandReply | undefined> {
    const { requestId } = order;
    if (this.#remembered.has(requestId)) return undefined;
    this.#remember(requestId);
    try {
      return { requestId, output: await this.#admit(order) };
    } catch (error) {
      return { requestId, output: new Uint8Array(), error: this.#refusal(order, error) };
    }
  }

  async #admit(order: CommandOrder): Promise<Uint8Array> {
    if (this.#running >= MAX_RUNNING) {
      throw apiError('overloaded', `This node already runs ${MAX_RUNNING} commands; try again shortly.`);
    }
    this.#running += 1;
    try {
      return await this.#answer(order);
    } finally {
      this.#running -= 1;
    }
  }

  async #answer({ name, params, deadlineMs }: CommandOrder): Promise<Uint8Array> {
    const command = this.#requireEnabled(name);
    const limitMs = Math.min(deadlineMs === 0 ? DEFAULT_DEADLINE_MS : deadlineMs, MAX_DEADLINE_MS);
    const abort = new AbortController();
    try {
      const work = this.#call(command, params, abort.signal);
      const message = `${name} did not finish on this node within ${limitMs} ms.`;
      return encode(await withTimeout(this.#context.clock, limitMs, message, work));
    } finally {
      abort.abort();
    }
  }

  #call(name: NodeCommandName, params: Uint8Array, signal: AbortSignal): Promise<Json> {
    const request = nodeCommandInputs[name].parse(parseJson(params));
    // Schema and handler have the same key; the compiler cannot relate the two through a union.
    const handler = handlers[name] as (...parts: readonly unknown[]) => Promise<Json>;
    return handler(request, this.#context, { signal });
  }

  #requireEnabled(name: string): NodeCommandName {
    if (!isNodeCommandName(name)) throw apiError('unknown-command', `A node has no command "${name}".`);
    const off = this.#context.facts.disabled.find((each) => each.name === name);
    if (off)
      throw apiError('command-disabled', `${name} is off on ${this.#context.facts.name}: ${off.reason}`);
    return name;
  }

  #refusal({ name }: CommandOrder, error: unknown): { code: string; message: string } {
    if (error instanceof z.ZodError) return { code: 'invalid-input', message: z.prettifyError(error) };
    const code = errorCode(error);
    if (code !== undefined && isApiErrorCode(code)) return { code, message: errorMessage(error) };
    this.#logger.error('A command failed', { command: name, error: errorMessage(error) });
    return { code: 'internal', message: `${name} failed on this node: ${errorMessage(error)}` };
  }

  #remember(requestId: string): void {
    this.#remembered.add(requestId);
    if (this.#remembered.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#remembered) {
      this.#remembered.delete(oldest);
      break;
    }
  }
}

function parseJson(params: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(params).toString('utf8') || '{}') as unknown;
  } catch (cause) {
    throw new CodedError('The parameters are not JSON.', { code: 'invalid-input' }, { cause });
  }
}

function encode(output: Json): Uint8Array {
  const bytes = Buffer.from(canonicalJson(output));
  if (bytes.length <= MAX_OUTPUT_BYTES) return bytes;
  throw apiError(
    'too-large',
    `The answer has ${bytes.length} bytes; ${MAX_OUTPUT_BYTES} are allowed. Ask for less.`,
  );
}
