import { apiError, commands, isCommandName, COMMAND_NAMES, type CommandName } from '@clawbernetes/protocol';
import type { Fleet } from '@clawbernetes/fleet';
import { canonicalJson, errorMessage, nearest, type Json } from '@clawbernetes/kernel';
import { configHandlers } from './config-handlers.ts';
import { fleetHandlers } from './fleet-handlers.ts';
import type { CommandContext, HandlerDeps, Handlers } from './handler-context.ts';
import { invalidInput } from './invalid-input.ts';
import { nodeHandlers } from './node-handlers.ts';
import { settlementHandlers } from '../settlement/settlement-handlers.ts';
import { queueHandlers } from './queue-handlers.ts';
import { reservationHandlers } from './reservation-handlers.ts';
import { systemHandlers } from './system-handlers.ts';
import { whyHandlers } from './why-handlers.ts';
import { workloadHandlers } from './workload-handlers.ts';

type AnyHandler = (request: unknown, context: CommandContext) => unknown;

/** From a command's name and raw input to its answer: every edge goes through here. */
export class CommandRouter {
  readonly #fleet: Fleet;
  readonly #handlers: Handlers<CommandName>;

  constructor(deps: HandlerDeps) {
    this.#fleet = deps.fleet;
    this.#handlers = {
      ...workloadHandlers(deps),
      ...systemHandlers(deps),
      ...configHandlers(deps),
      ...fleetHandlers(deps),
      ...nodeHandlers(deps),
      ...whyHandlers(deps),
      ...queueHandlers(deps),
      ...reservationHandlers(deps),
      ...settlementHandlers(deps),
    };
  }

  /** @throws CodedError with an ApiErrorCode. */
  async execute(name: string, input: unknown, context: CommandContext): Promise<unknown> {
    if (!isCommandName(name)) throw unknownCommand(name);
    requireCanonical(name, input);
    const parsed = commands[name].input.safeParse(input ?? {});
    if (!parsed.success) throw invalidInput(name, parsed.error.issues);
    // The handler and the parsed request belong to the same name, which the compiler cannot follow through
    // the union.
    const answer = await (this.#handlers[name] as AnyHandler)(parsed.data, context);
    // An answer may show what is not stored yet; it leaves only once that is.
    await this.#fleet.durable();
    return answer;
  }
}

/**
 * What has no canonical form could be neither compared nor sent to a node: lone surrogates, 1e999, endless
 * nesting.
 */
function requireCanonical(name: string, input: unknown): void {
  try {
    // Parsed JSON or nothing.
    canonicalJson((input ?? {}) as Json);
  } catch (error) {
    throw invalidInput(name, [{ path: [], message: errorMessage(error) }]);
  }
}

function unknownCommand(name: string): Error {
  const near = nearest(name, COMMAND_NAMES);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  return apiError('unknown-command', `There is no command "${name.slice(0, 64)}".${hint}`);
}
