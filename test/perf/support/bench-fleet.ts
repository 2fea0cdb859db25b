import { openClient, type Client } from '@clawbernetes/sdk';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const root = path.resolve(import.meta.dirname, '..', '..', '..');

export interface BenchFleetOptions {
  readonly agents: number;
  readonly work: 'real' | 'virtual';
  readonly dockerSocket?: string;
  /** Each agent's, so that this many jobs run at once on it. */
  readonly cores: number;
}

/**
 * A gateway process, a process with its agents, and a client: a fleet on one machine, from the built
 * packages.
 */
export class BenchFleet implements AsyncDisposable {
  readonly client: Client;
  readonly agentsPid: number;
  readonly folder: string;
  readonly url: string;
  readonly token: string;
  #gateway: ChildProcess;
  readonly #farm: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(
    folder: string,
    client: Client,
    { url, token }: Access,
    { gateway, farm, answers }: Parts,
  ) {
    this.folder = folder;
    this.client = client;
    this.url = url;
    this.token = token;
    this.#gateway = gateway;
    this.#farm = farm;
    this.#answers = answers;
    this.agentsPid = farm.pid ?? 0;
  }

  get gatewayPid(): number {
    return this.#gateway.pid ?? 0;
  }

  static async open({ agents, work, cores, dockerSocket }: BenchFleetOptions): Promise<BenchFleet> {
    const folder = await mkdtemp(path.join(tmpdir(), 'claw-bench-'));
    const gateway = startGateway(folder);
    const access = await readAccess(folder);
    const client = openClient({}, access);
    const joinTokens = [];
    for (let made = 0; made < agents; made += 1)
      joinTokens.push((await client.command('node.token', {})).token);
    const farm = spawn(process.execPath, [path.join(import.meta.dirname, 'agent-farm-main.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const supervisor =
      work === 'virtual'
        ? { kind: 'virtual' }
        : { kind: 'process', stateFolder: path.join(folder, 'supervisor') };
    const gatewayUrl = `${access.url.replace('http', 'ws')}/node`;
    farm.stdin.write(`${JSON.stringify({ gatewayUrl, joinTokens, supervisor, cores, dockerSocket })}\n`);
    const answers = createInterface({ input: farm.stdout })[Symbol.asyncIterator]();
    await answers.next();
    return new BenchFleet(folder, client, access, { gateway, farm, answers });
  }

  /** Kills the gateway with -9 and starts another in its place. @returns ms from there until it serves. */
  async crash(): Promise<number> {
    const gone = once(this.#gateway, 'exit');
    this.#gateway.kill('SIGKILL');
    await gone;
    const startMs = performance.now();
    this.#gateway = startGateway(this.folder, new URL(this.url).port);
    while (!(await isReady(this.url))) await pause(5);
    return performance.now() - startMs;
  }

  /** A workload for each attempt that lives in an agent, by the agents' own account. Virtual work only. */
  async liveWorkloads(): Promise<readonly string[]> {
    this.#farm.stdin?.write('live\n');
    const { value } = await this.#answers.next();
    return JSON.parse(String(value)) as string[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.#farm, this.#gateway]) {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
    await stopSupervisor(path.join(this.folder, 'supervisor'));
    await rm(this.folder, { recursive: true, force: true });
  }
}

interface Parts {
  readonly gateway: ChildProcess;
  readonly farm: ChildProcess;
  readonly answers: AsyncIterator<string>;
}

interface Access {
  readonly url: string;
  readonly token: string;
}

export function startGateway(home: string, port = '0'): ChildProcess {
  const bin = path.join(root, 'apps', 'gateway', 'bin', 'claw-gateway.js');
  return spawn(process.execPath, [bin, '--home', home, '--port', port, '--log-level', 'warn'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(new URL('/readyz', url))).ok;
  } catch {
    return false;
  }
}

/** Waits until a gateway of that home listens. */
export async function readAccess(home: string): Promise<Access> {
  const folder = path.join(home, 'gateway');
  for (let tries = 0; tries < 500; tries += 1) {
    try {
      const { url } = JSON.parse(await readFile(path.join(folder, 'endpoint.json'), 'utf8')) as {
        url: string;
      };
      return { url, token: (await readFile(path.join(folder, 'owner.token'), 'utf8')).trim() };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error(`no gateway came up in ${home}`);
}

/** The agents only leave their supervisor; whoever made its folder ends it. */
async function stopSupervisor(folder: string): Promise<void> {
  const lock = await readFile(path.join(folder, 'supervisor.lock'), 'utf8').catch(() => undefined);
  const pid = lock === undefined ? undefined : (JSON.parse(lock) as { pid?: number }).pid;
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
}
