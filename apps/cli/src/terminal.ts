import { createColors } from './output/colours.ts';
import type { CliConfig } from './config.ts';
import type { Colours } from './output/colours.ts';

/** The three standard streams with what may be done to them. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Colours for stdout and for stderr: either may be a pipe. */
  readonly colours: Colours;
  readonly errorColours: Colours;
}

export function openTerminal(config: CliConfig): Terminal {
  const { stdin, stdout, stderr } = process;
  // Whoever reads our output may stop at any time (`| head`): that is no failure.
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? 0 : 1);
    });
  }
  return {
    stdin,
    stdout,
    stderr,
    colours: createColors(config.colour.stdout),
    errorColours: createColors(config.colour.stderr),
  };
}
