import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage } from '@clawbernetes/kernel';
import type { NodeView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import { cliError } from '../errors.ts';
import { isLoopback } from '../find-gateway.ts';
import { Child } from './child.ts';
import { requireFreePort } from './free-port.ts';
import { markOf } from './process-mark.ts';
import { programFile } from './program-file.ts';
import type { Progress } from './progress.ts';
import { gatewayAnswers, nodeRegistered } from './running-fleet.ts';
import { stopLocalFleet } from './stop-fleet.ts';
import { DEFAULT_HOST, DEFAULT_PORT, type UpOptions } from './up-options.ts';
import { removeUpRecord, writeUpRecord } from './up-record.ts';

/** A gateway and a node on this machine, as children of this process. */
export class LocalFleet {
  readonly #context: Context;
  readonly #options: UpOptions;
  readonly #progress: Progress;
  #gateway: Child | undefined;
  #node: Child | undefined;
  #client: Client | undefined;
  #view: NodeView | undefined;
  #stopping = false;

  constructor(context: Context, options: UpOptions, progress: Progress) {
    this.#context = context;
    this.#options = options;
    this.#progress = progress;
  }

  /** Starts both, each when it can be used. What was started before a failure is stopped by `stop`. */
  async start(): Promise<{ readonly client: Client; readonly node: NodeView }> {
    const client = await this.#progress.step(
      'Starting the gateway',
      () => this.#startGateway(),
      ({ url }) => `The gateway answers at ${url}`,
    );
    const node = await this.#progress.step(
      'Starting the node and detecting hardware',
      () => this.#startNode(client),
      ({ name }) => `Node ${name} is ready`,
    );
    this.#view = node;
    return { client, node };
  }

  /** Rejects when a child ends that should not; else never settles. */
  async lost(): Promise<never> {
    const children = [this.#gateway, this.#node].filter((child) => child !== undefined);
    const first = await Promise.race(children.map(async (child) => child.ended.then(() => child)));
    if (this.#stopping) return new Promise<never>(() => undefined);
    throw await first.failure();
  }

  /** Ends what was started: work, node, gateway. Safe to call at any stage; `force` makes it quick. */
  async stop(force: AbortSignal): Promise<void> {
    this.#stopping = true;
    await stopLocalFleet(this.#context, this.#progress, {
      client: this.#client,
      nodeView: this.#view,
      node: this.#node,
      gateway: this.#gateway,
      force,
    });
    await removeUpRecord(this.#context.config.home);
  }

  async #startGateway(): Promise<Client> {
    const { config } = this.#context;
    const { host = DEFAULT_HOST, port = DEFAULT_PORT, insecure = false } = this.#options;
    await makeHome(config.home);
    await requireFreePort(host, port);
    const flags = [
      '--home',
      config.home,
      '--host',
      host,
      '--port',
      String(port),
      ...(insecure ? ['--insecure'] : []),
      // Whoever tries things out here finds a faucet; main networks are started by claw-gateway.
      ...['--settlement', 'development'],
    ];
    this.#gateway = this.#spawn(
      'The gateway',
      '@clawbernetes/gateway',
      'claw-gateway',
      flags,
      'gateway/gateway.log',
    );
    await this.#writeRecord();
    this.#client = await gatewayAnswers(this.#context, this.#gateway);
    return this.#client;
  }

  async #startNode(client: Client): Promise<NodeView> {
    const { config, clock } = this.#context;
    const { name, simulateGpus } = this.#options;
    const sinceMs = clock.nowMs();
    const tokenFile = await this.#joinTokenFile(client);
    const flags = [
      ...['--home', config.home, '--gateway', client.url, '--stop-workloads-on-exit'],
      ...(isLoopback(client.url) ? ['--allow-unsandboxed'] : []),
      ...(tokenFile === undefined ? [] : ['--join-token-file', tokenFile]),
      ...(name === undefined ? [] : ['--name', name]),
      ...(simulateGpus === undefined ? [] : ['--simulate-gpus', simulateGpus]),
    ];
    this.#node = this.#spawn('The node', '@clawbernetes/node', 'clawnode', flags, 'node/node.log');
    await this.#writeRecord();
    try {
      return await nodeRegistered(this.#context, { client, child: this.#node, sinceMs });
    } finally {
      if (tokenFile !== undefined) await rm(tokenFile, { force: true });
    }
  }

  /** A new node joins with a token; it is handed over in a file, since arguments can be read by everyone. */
  async #joinTokenFile(client: Client): Promise<string | undefined> {
    const folder = path.join(this.#context.config.home, 'node');
    if (await hasGrant(folder)) return undefined;
    const { token } = await client.command('node.token', { approve: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = path.join(folder, 'join-token');
    await rm(file, { force: true });
    await writeFile(file, `${token}\n`, { mode: 0o600 });
    return file;
  }

  #spawn(title: string, packageName: string, bin: string, flags: string[], logFile: string): Child {
    const { config, clock } = this.#context;
    return Child.start(
      { clock },
      {
        title,
        command: [config.nodePath, programFile(packageName, bin), ...flags],
        logFile: path.join(config.home, logFile),
        env: config.env,
      },
    );
  }

  async #writeRecord(): Promise<void> {
    const mark = (child: Child | undefined) => (child?.pid === undefined ? undefined : markOf(child.pid));
    const record = { up: markOf(process.pid), gateway: mark(this.#gateway), node: mark(this.#node) };
    await writeUpRecord(this.#context.config.home, record);
  }
}

async function makeHome(home: string): Promise<void> {
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw cliError(
      'home-unusable',
      `The folder ${home} cannot be made (${errorMessage(cause)}). Make it writable or choose another with CLAWBERNETES_HOME.`,
      { cause },
    );
  }
}

/** Whether the node was admitted before; see the agent's membership. */
async function hasGrant(nodeFolder: string): Promise<boolean> {
  try {
    const membership = JSON.parse(await readFile(path.join(nodeFolder, 'membership.json'), 'utf8')) as object;
    return 'grant' in membership;
  } catch {
    return false; // none yet, or damaged: a token is never wrong
  }
}
