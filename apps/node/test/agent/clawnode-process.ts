import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from '../../src/testing/until.ts';

const main = path.resolve(import.meta.dirname, '../../src/main.ts');

/** A clawnode as a real process, from source, with a supervisor of its own. */
export interface ClawnodeProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** All that it wrote. */
  output(): string;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  kill(signal: NodeJS.Signals): Promise<number | string>;
}

/** A home folder whose supervisor and workloads are gone when it is disposed of. */
export class ClawnodeHome implements AsyncDisposable {
  readonly path = mkdtempSync(path.join(tmpdir(), 'clawnode-'));
  readonly #processes: ClawnodeProcess[] = [];

  start(...flags: readonly string[]): ClawnodeProcess {
    const argv = ['--no-warnings', '--conditions=@clawbernetes/source', main, '--home', this.path, ...flags];
    const child = spawn(process.execPath, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: this.path },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
    }
    const exited = new Promise<number | string>((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    });
    const started: ClawnodeProcess = {
      child,
      pid: child.pid ?? -1,
      output: () => output,
      exited,
      kill: (signal) => {
        child.kill(signal);
        return exited;
      },
    };
    this.#processes.push(started);
    return started;
  }

  supervisorPid(): number | undefined {
    try {
      const lock = readFileSync(path.join(this.path, 'node/supervisor/supervisor.lock'), 'utf8');
      return (JSON.parse(lock) as { pid: number }).pid;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.kill('SIGKILL')));
    const pid = this.supervisorPid();
    if (pid !== undefined && isAlive(pid)) {
      // SIGTERM stops all of its workloads first.
      process.kill(pid, 'SIGTERM');
      await until('the supervisor is gone', () => !isAlive(pid), 20_000);
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
