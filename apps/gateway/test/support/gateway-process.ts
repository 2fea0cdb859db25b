import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { ApiClient } from './api-client.ts';
import { waitUntil } from './wait-until.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const READY_MS = 60_000;

export interface ProcessOptions {
  readonly home: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A gateway as a process of its own, to be killed. Ends with the test. */
export class GatewayProcess {
  readonly home: string;
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  stderr = '';

  constructor({ home, args = ['--port', '0', '--log-level', 'silent'], env = {} }: ProcessOptions) {
    this.home = home;
    this.child = spawn(
      process.execPath,
      ['--conditions=@clawbernetes/source', MAIN, '--home', home, ...args],
      { env: { PATH: process.env['PATH'], HOME: home, ...env }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exited = once(this.child, 'close').then(() => this.child.exitCode);
    onTestFinished(() => this.kill());
  }

  /** Waits until it serves. */
  async ready(): Promise<ApiClient> {
    const file = join(this.home, 'gateway', 'endpoint.json');
    const url = await waitUntil(
      `the gateway serves (${this.stderr})`,
      async () => {
        const text = await readFile(file, 'utf8').catch(() => '{}');
        const { pid, url: found } = JSON.parse(text) as { pid?: number; url?: string };
        if (this.child.exitCode !== null) throw new Error(`The gateway ended: ${this.stderr}`);
        return pid === this.child.pid && found;
      },
      READY_MS,
    );
    return new ApiClient(url, (await readFile(join(this.home, 'gateway', 'owner.token'), 'utf8')).trim());
  }

  /** As `kill -9`. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.exited;
  }
}
