import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { NodeView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import { isAlive, BINS, Program } from './program.ts';
import { until } from './until.ts';

export interface NodeSettings {
  readonly name: string;
  /** More arguments, such as `--simulate-gpus`. */
  readonly args?: readonly string[];
  /** More of clawnode.toml. */
  readonly config?: string;
  /** Joins with a token; default true. */
  readonly token?: boolean;
  /** Default: a folder of the fleet's own. */
  readonly home?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the built one. */
  readonly bin?: string;
}

/** Reconnects quickly, so that tests need not wait for the backoff of real fleets. */
const CONFIG = '[node]\nreconnect_interval_secs = 0.5\n';

/** A `clawnode` process with a home of its own, and the supervisor that it starts. */
export class RealNode {
  readonly name: string;
  readonly home: string;
  agent: Program | undefined;
  readonly #settings: NodeSettings;
  readonly #client: Client;
  readonly #gatewayUrl: string;

  constructor(settings: NodeSettings, deps: { readonly client: Client; readonly folder: string }) {
    this.name = settings.name;
    this.home = settings.home ?? path.join(deps.folder, settings.name);
    this.#settings = settings;
    this.#client = deps.client;
    this.#gatewayUrl = deps.client.url;
  }

  /** Writes its configuration and, unless told otherwise, a join token, and starts its agent. */
  async join(): Promise<void> {
    await mkdir(this.home, { recursive: true, mode: 0o700 });
    await writeFile(path.join(this.home, 'clawnode.toml'), CONFIG + (this.#settings.config ?? ''));
    if (this.#settings.token ?? true) {
      const { token } = await this.#client.command('node.token', {});
      await writeFile(this.#tokenFile, `${token}\n`, { mode: 0o600 });
    }
    this.start();
  }

  /** Starts the agent, or starts it again; `bin` may be another version of it. */
  start(bin: string = this.#settings.bin ?? BINS.node): Program {
    const { args = [], env = {} } = this.#settings;
    const token = existsSync(this.#tokenFile) ? ['--join-token-file', this.#tokenFile] : [];
    const own = ['--home', this.home, '--gateway', this.#gatewayUrl, '--name', this.name, ...token];
    this.agent = new Program(bin, [...own, '--allow-unsandboxed', ...args], { env });
    return this.agent;
  }

  /** Starts the agent again after it was killed, and waits until the gateway knows. */
  async restart(bin?: string): Promise<void> {
    await this.agent?.kill();
    this.start(bin);
    await this.untilConnected();
  }

  async info(): Promise<NodeView> {
    return this.#client.command('node.info', { node: this.name });
  }

  /** The agent has registered, and not just a former one of it. */
  async untilConnected(): Promise<void> {
    await until(
      () => `${this.name} is connected; its agent said:\n${this.agent?.stderr}`,
      async () => {
        if (this.agent && !this.agent.isRunning) throw new Error(`The agent ended:\n${this.agent.stderr}`);
        if (this.agent && !this.agent.stderr.includes('Registered')) return false;
        return (await this.info()).connectivity === 'connected';
      },
    );
  }

  /** Of the process that owns the workloads; undefined while there is none. */
  get supervisorPid(): number | undefined {
    try {
      const { pid } = JSON.parse(readFileSync(this.#supervisorFile('supervisor.lock'), 'utf8')) as {
        readonly pid: number;
      };
      return isAlive(pid) ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  /** By kill -9; answers the one that was. */
  async killSupervisor(): Promise<number> {
    const pid = this.supervisorPid;
    if (pid === undefined) throw new Error(`${this.name} has no supervisor.`);
    process.kill(pid, 'SIGKILL');
    await until('it is gone', () => !isAlive(pid));
    return pid;
  }

  /** Ends agent and supervisor, and with the supervisor everything that it runs. */
  async stop(): Promise<void> {
    await this.agent?.kill('SIGTERM');
    const pid = this.supervisorPid;
    if (pid === undefined) return;
    process.kill(pid, 'SIGTERM');
    await until(`the supervisor of ${this.name} has ended`, () => !isAlive(pid));
  }

  get #tokenFile(): string {
    return path.join(this.home, 'join.token');
  }

  #supervisorFile(name: string): string {
    return path.join(this.home, 'node', 'supervisor', name);
  }
}
