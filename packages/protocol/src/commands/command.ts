import type { z } from 'zod';
import type { ApiErrorCode } from '../errors.ts';

/**
 * The tiers of the command catalogue that exist so far; `fleet` is administration of the fleet itself, `molt`
 * is money.
 */
export type CommandTier = 'core' | 'config' | 'fleet' | 'molt';

/**
 * One command, declared once: the node protocol, REST, the CLI and OpenAPI derive from it. Its name is also
 * the name of the permission that it needs.
 */
export interface CommandDefinition<
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> {
  readonly tier: CommandTier;
  /**
   * `gateway` answers from the fleet's state; `node` is forwarded to one node and may be switched off there.
   */
  readonly target: 'gateway' | 'node';
  readonly summary: string;
  readonly input: Input;
  readonly output: Output;
  /** Codes that it can answer beside those that every command can: see COMMON_ERRORS. */
  readonly errors: readonly ApiErrorCode[];
}

export const COMMON_ERRORS = [
  'invalid-input',
  'unauthenticated',
  'forbidden',
  'too-large',
  'overloaded',
  'storage-unavailable',
  'storage-full',
  'internal',
] as const satisfies readonly ApiErrorCode[];

/** Keeps the schema types of a definition. */
export function command<Input extends z.ZodType, Output extends z.ZodType>(
  definition: CommandDefinition<Input, Output>,
): CommandDefinition<Input, Output> {
  return definition;
}
