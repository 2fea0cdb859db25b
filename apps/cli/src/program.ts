import { Command, Help, type OutputConfiguration } from 'commander';
import { addExamples, addGlobalOptions, type Runtime } from './declare/declaration.ts';
import { declareFleetCommands } from './declare/fleet-declarations.ts';
import { declareLedgerCommands } from './declare/ledger-declarations.ts';
import { declareMoltCommands } from './declare/molt-declarations.ts';
import { declareSystemCommands } from './declare/system-declarations.ts';
import { declareWorkloadCommands } from './declare/workload-declarations.ts';

/** The whole command tree. Nothing is loaded but declarations; a command loads its code when it is used. */
export function buildProgram(runtime: Runtime): Command {
  const program = new Command('clawbernetes')
    .description('Runs work on a fleet of machines with GPUs: one laptop or many hosts.')
    .version(runtime.config.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'help for a command')
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false, visibleOptions: ownOptionsFirst })
    .configureOutput(outputTo(runtime))
    .enablePositionalOptions()
    .exitOverride();
  addGlobalOptions(program);
  declareWorkloadCommands(program, runtime);
  declareFleetCommands(program, runtime);
  declareMoltCommands(program, runtime);
  declareLedgerCommands(program, runtime);
  declareSystemCommands(program, runtime);
  addExamples(program, [
    'up --demo',
    'run -- echo hello',
    'run --gpus 1 -- python3 train.py',
    'status',
    'workload list',
  ]);
  return program;
}

/** Errors are reported by `main`, together with what it adds; only help is written here. */
function outputTo({ deps: { terminal } }: Runtime): OutputConfiguration {
  return {
    writeOut: (text) => void terminal.stdout.write(text),
    writeErr: (text) => void (text.startsWith('error:') ? undefined : terminal.stderr.write(text)),
    outputError: () => undefined,
  };
}

/** The options that every command has come last. */
function ownOptionsFirst(this: Help, command: Command): ReturnType<Help['visibleOptions']> {
  const common = new Set(['--format', '--gateway', '--no-color', '--help']);
  const options = Help.prototype.visibleOptions.call(this, command);
  const isCommon = (option: (typeof options)[number]): boolean => common.has(option.long ?? '');
  return [...options.filter((option) => !isCommon(option)), ...options.filter(isCommon)];
}
