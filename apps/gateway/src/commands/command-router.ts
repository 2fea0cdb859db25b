import { apiError, commands, isCommandName, COMMAND_NAMES, type CommandName } from '@clawbernetes/protocol';
import type { Fleet } from '@clawbernetes/fleet';
import { nearest } from '@clawbernetes/kernel';
import { configHandlers } from './config-handlers.ts';
import { fleetHandlers } from './fleet-handlers.ts';
import type { CommandContext, HandlerDeps, Handlers } from './handler-context.ts';
import { systemHandlers } from './system-handlers.ts';
import { workloadHandlers } from './workload-handlers.ts';

const MAX_ISSUES = 20;

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
    };
  }

  /** @throws CodedError with an ApiErrorCode. */
  async execute(name: string, input: unknown, context: CommandContext): Promise<unknown> {
    if (!isCommandName(name)) throw unknownCommand(name);
    const parsed = commands[name].input.safeParse(input ?? {});
    if (!parsed.success) throw invalidInput(name, parsed.error.issues);
    // The handler and the parsed request belong to the same name, which the compiler cannot follow through the union.
    const answer = await (this.#handlers[name] as AnyHandler)(parsed.data, context);
    // An answer may show what is not stored yet; it leaves only once that is.
    await this.#fleet.durable();
    return answer;
  }
}

function unknownCommand(name: string): Error {
  const near = nearest(name, COMMAND_NAMES);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  return apiError('unknown-command', `There is no command "${name.slice(0, 64)}".${hint}`);
}

function invalidInput(
  name: string,
  found: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): Error {
  const issues = found
    .slice(0, MAX_ISSUES)
    .map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  const sentence = issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  return apiError('invalid-input', `The input of ${name} is not valid: ${sentence}.`, { issues });
}
