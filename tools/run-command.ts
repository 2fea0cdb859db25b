import { spawn, type SpawnOptions } from 'node:child_process';
import { constants } from 'node:os';

export interface CommandResult {
  readonly exitCode: number;
  /** Standard output and error together; empty if they went to the terminal. */
  readonly output: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Keeps the output for the caller instead of showing it. */
  readonly capture?: boolean;
  /** After this the command gets `killSignal`; never by default. */
  readonly timeoutMs?: number;
  /** SIGTERM by default, which asks it to end. */
  readonly killSignal?: NodeJS.Signals;
}

/**
 * Runs a command to its end. A command that cannot be started answers 127, one ended by a signal 128 and its
 * number.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  { cwd, env, capture = false, timeoutMs, killSignal }: CommandOptions = {},
): Promise<CommandResult> {
  const options: SpawnOptions = {
    stdio: ['ignore', capture ? 'pipe' : 'inherit', capture ? 'pipe' : 'inherit'],
  };
  if (cwd !== undefined) options.cwd = cwd;
  if (timeoutMs !== undefined) options.timeout = timeoutMs;
  if (killSignal !== undefined) options.killSignal = killSignal;
  if (env !== undefined) options.env = { ...process.env, ...env };
  return new Promise((resolve) => {
    const child = spawn(command, args, options);
    let output = '';
    const keep = (text: string): void => {
      output += text;
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    child.once('error', (error) => resolve({ exitCode: 127, output: `${output}${error.message}\n` }));
    child.once('close', (code, signal) =>
      resolve({ exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0), output }),
    );
  });
}
