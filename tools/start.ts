// Builds what is out of date, then runs `clawbernetes up --demo` from this clone. Arguments, signals and the
// exit code pass through: `npm start -- --once`. State lies in ./.clawbernetes unless CLAWBERNETES_HOME says
// otherwise.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { runCommand } from './run-command.ts';

const root = path.resolve(import.meta.dirname, '..');
const BUILD_NOTICE_MS = 1000;

/** Brings the build up to date, saying so if it takes longer than a moment. */
async function build(): Promise<number> {
  const notice = setTimeout(() => console.log('Building Clawbernetes (first start) …'), BUILD_NOTICE_MS);
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { exitCode, output } = await runCommand(process.execPath, [compiler, '-b'], {
    cwd: root,
    capture: true,
  });
  clearTimeout(notice);
  if (exitCode === 0) return 0;
  console.error(`${output}The build failed. If packages are missing, run \`npm ci\` first.`);
  return exitCode;
}

/**
 * Runs the command line to its end; answers its exit code, or 128 and the number of the signal that ended it.
 */
function runDemo(args: readonly string[]): Promise<number> {
  const bin = path.join(root, 'apps', 'cli', 'bin', 'clawbernetes.js');
  const home = process.env['CLAWBERNETES_HOME'] ?? path.join(root, '.clawbernetes');
  const child = spawn(process.execPath, [bin, 'up', '--demo', ...args], {
    stdio: 'inherit',
    env: { ...process.env, CLAWBERNETES_HOME: home },
  });
  // A terminal sends Ctrl-C to the child as well; a second one would mean "at once". Others are passed on.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`clawbernetes could not be started: ${error.message}`);
      resolve(1);
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

process.exitCode = (await build()) || (await runDemo(process.argv.slice(2)));
