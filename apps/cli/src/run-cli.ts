import type { CliConfig } from './config.ts';
import type { ContextDeps, Format } from './context.ts';
import { buildProgram } from './program.ts';
import { reportError } from './report-error.ts';
import { isCommanderError, usageError, wasAnswered, wasIncomplete } from './usage-error.ts';

/** Carries out the command line; answers the exit code. Errors are reported here and nowhere else. */
export async function runCli(deps: ContextDeps, config: CliConfig): Promise<number> {
  let exitCode = 0;
  const program = buildProgram({ deps, config, finish: (code) => (exitCode = code) });
  if (config.argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync(config.argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    const where = { terminal: deps.terminal, format: formatOf(config.argv), config };
    if (!isCommanderError(error)) return reportError(error, where);
    if (wasAnswered(error)) return 0;
    if (wasIncomplete(error)) return 5;
    return reportError(usageError(error, config.argv, program), where);
  }
}

/** Of the raw arguments: an error in them must be reported in the wanted format, too. */
function formatOf(argv: readonly string[]): Format {
  const wanted = argv.some(
    (word, index) =>
      /^(-fjson|--format=json)$/.test(word) || (/^(-f|--format)$/.test(word) && argv[index + 1] === 'json'),
  );
  return wanted ? 'json' : 'table';
}
