import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

/** Runs `count` processes, `parallel` at a time, each to its end; answers how many per second. */
export async function processesPerSecond(
  argv: readonly string[],
  count: number,
  parallel: number,
): Promise<number> {
  const startMs = performance.now();
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      await runProcess(argv);
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  return (count * 1000) / (performance.now() - startMs);
}

/** The same from a fresh, small process. */
export async function bareProcessesPerSecond(
  argv: readonly string[],
  count: number,
  parallel: number,
): Promise<number> {
  const main = path.join(import.meta.dirname, 'peer-main.ts');
  const args = [main, JSON.stringify(argv), String(count), String(parallel)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout);
}

/** Milliseconds that one process takes from spawn to exit. */
export async function processMs(argv: readonly string[]): Promise<number> {
  const startMs = performance.now();
  await runProcess(argv);
  return performance.now() - startMs;
}

function runProcess([program = '', ...args]: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
}

/** What bubblewrap takes to run `/bin/true` with the isolation that a sandboxed job has. */
export const BARE_BUBBLEWRAP = [
  ...[
    '/usr/bin/bwrap',
    '--unshare-all',
    '--die-with-parent',
    '--new-session',
    '--clearenv',
    '--cap-drop',
    'ALL',
  ],
  ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib'],
  ...['--symlink', 'usr/lib64', '/lib64', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '/bin/true'],
];

export function hasBubblewrap(): boolean {
  return existsSync('/usr/bin/bwrap');
}
