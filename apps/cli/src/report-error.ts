import { CodedError, errorCode, errorMessage } from '@clawbernetes/kernel';
import type { CliConfig } from './config.ts';
import type { Format } from './context.ts';
import { exitCodeOf } from './errors.ts';
import { tokenFile } from './find-gateway.ts';
import { asTyped } from './output/phrases.ts';
import type { Terminal } from './terminal.ts';

export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** Says on stderr what went wrong and what to do next; answers the exit code. */
export function reportError(
  error: unknown,
  where: { readonly terminal: Terminal; readonly format: Format; readonly config: CliConfig },
): number {
  const exitCode = exitCodeOf(error);
  const code = errorCode(error) ?? 'internal';
  const message = errorMessage(error);
  const issues = issuesOf(error);
  const hint = hintFor(code, where.config);
  if (where.format === 'json') {
    const body = {
      code,
      message,
      exitCode,
      ...(issues.length > 0 ? { issues } : {}),
      ...(hint ? { hint } : {}),
    };
    where.terminal.stderr.write(`${JSON.stringify({ error: body })}\n`);
    return exitCode;
  }
  const { red, bold } = where.terminal.errorColours;
  const lines = [
    `${bold(red('error:'))} ${message}`,
    // A message that says it all needs no list.
    ...issues
      .filter((issue) => !message.includes(issue.message))
      .map((issue) => `  ${issue.path}: ${issue.message}`),
  ];
  if (hint) lines.push(hint);
  where.terminal.stderr.write(`${asTyped(lines.join('\n'), where.config.programName)}\n`);
  return exitCode;
}

function hintFor(code: string, config: CliConfig): string | undefined {
  if (code !== 'unauthenticated') return undefined;
  return config.token === undefined
    ? `Set CLAWBERNETES_TOKEN to the token of that gateway (its owner finds it in owner.token; here: ${tokenFile(config)}).`
    : 'The token of CLAWBERNETES_TOKEN was refused; unset it to use the token file of this machine’s own gateway.';
}

/** What is wrong where, if the gateway said so. */
export function issuesOf(error: unknown): readonly Issue[] {
  if (!(error instanceof CodedError)) return [];
  const facts: unknown = error.facts;
  if (typeof facts !== 'object' || facts === null || !('issues' in facts)) return [];
  return Array.isArray(facts.issues) ? (facts.issues as readonly Issue[]) : [];
}
