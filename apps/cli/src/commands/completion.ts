import type { Command } from 'commander';
import { oneOf } from '../declare/option-values.ts';
import type { Action } from '../declare/declaration.ts';
import { commandWords } from './completion-words.ts';
import { bashScript, fishScript, zshScript } from './completion-scripts.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** Derived from the command tree, so that it cannot be out of date. */
export function completionAction(program: Command): Action<unknown> {
  return async ({ context, operands: [shell = ''] }) => {
    const script = SCRIPTS[oneOf('bash', 'zsh', 'fish')(shell)](commandWords(program));
    context.terminal.stdout.write(script);
    return Promise.resolve();
  };
}
