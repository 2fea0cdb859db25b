import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CommandOutput, WorkloadSpecInput, WorkloadState, WorkloadView } from '@clawbernetes/protocol';
import { hasEnded } from '@clawbernetes/protocol/workload-state';
import { openClient, type Client, type LogEntry } from '@clawbernetes/sdk';
import { leftovers } from './leftovers.ts';
import { BINS, Program } from './program.ts';
import { RealNode, type NodeSettings } from './real-node.ts';
import { until } from './until.ts';

export type Inspection = CommandOutput<'workload.inspect'>;

export interface FleetSettings {
  /** Default: a folder of the fleet's own. */
  readonly gatewayHome?: string;
  readonly gatewayEnv?: Readonly<Record<string, string>>;
  readonly gatewayArgs?: readonly string[];
}

/**
 * A gateway and nodes as real processes in a temporary folder. Closing it ends them and throws if anything of
 * theirs is left on the machine.
 */
export class RealFleet implements AsyncDisposable {
  readonly folder: string;
  /** A folder that workloads share with the test: pass it as their working directory. */
  readonly work: string;
  readonly nodes: RealNode[] = [];
  gateway: Program;
  client!: Client;
  /** Of the gateway's owner. */
  token = '';
  readonly #gatewayHome: string;
  readonly #gatewayEnv: Readonly<Record<string, string>>;
  readonly #gatewayArgs: readonly string[];
  #port = 0;

  private constructor(folder: string, { gatewayHome, gatewayEnv = {}, gatewayArgs = [] }: FleetSettings) {
    this.folder = folder;
    this.#gatewayHome = gatewayHome ?? path.join(folder, 'gateway-home');
    this.#gatewayEnv = gatewayEnv;
    this.#gatewayArgs = gatewayArgs;
    this.work = path.join(folder, 'work');
    this.gateway = this.startGateway();
  }

  /** Starts a gateway and one node for each of `nodes`, and waits until they have registered. */
  static async open(
    nodes: readonly NodeSettings[] = [{ name: 'node-1' }],
    settings: FleetSettings = {},
  ): Promise<RealFleet> {
    const fleet = new RealFleet(await mkdtemp(path.join(tmpdir(), 'claw-e2e-')), settings);
    try {
      await mkdir(fleet.work);
      fleet.token = await fleet.#listening();
      fleet.client = openClient({}, { url: `http://127.0.0.1:${fleet.#port}`, token: fleet.token });
      await Promise.all(nodes.map(async (node) => fleet.addNode(node)));
      return fleet;
    } catch (error) {
      await fleet.#stop();
      throw error;
    }
  }

  get node(): RealNode {
    const [node] = this.nodes;
    if (!node) throw new Error('This fleet has no node.');
    return node;
  }

  async addNode(settings: NodeSettings): Promise<RealNode> {
    const node = new RealNode(settings, this);
    this.nodes.push(node);
    await node.join();
    if (settings.token ?? true) await node.untilConnected();
    return node;
  }

  /** Starts the gateway, or starts it again on the port that it had. */
  startGateway(): Program {
    const place = ['--home', this.#gatewayHome, '--port', String(this.#port)];
    this.gateway = new Program(BINS.gateway, [...place, ...this.#gatewayArgs, '--log-level', 'info'], {
      env: this.#gatewayEnv,
    });
    return this.gateway;
  }

  async restartGateway(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.gateway.kill(signal);
    this.startGateway();
    await this.#listening();
    for (const { agent, name } of this.nodes) if (agent?.isRunning) await this.#reconnected(name);
  }

  /** Submits a workload that runs `script` in the shared folder. */
  async sh(script: string, spec: Partial<WorkloadSpecInput> = {}): Promise<WorkloadView> {
    return this.run({ command: ['sh', '-c', script], workingDirectory: this.work, ...spec });
  }

  /** Submits a workload, marked so that its processes are found when any are left. */
  async run(spec: WorkloadSpecInput): Promise<WorkloadView> {
    const env = { ...spec.env, E2E_FLEET: this.folder };
    return this.client.run({ ...spec, env }, { idempotencyKey: randomUUID() });
  }

  /** Runs the command line as its owner would; answers what it printed. @throws if its exit code is not 0. */
  async cli(...args: readonly string[]): Promise<string> {
    const { url } = this.client;
    const access = { CLAWBERNETES_TOKEN: this.token, CLAWBERNETES_GATEWAY: url };
    const env = { CLAWBERNETES_HOME: this.folder, ...access };
    const program = new Program(BINS.cli, [...args], { env });
    const code = await program.ended;
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${program.stderr}`);
    return program.stdout;
  }

  async inspect(id: string): Promise<Inspection> {
    return this.client.command('workload.inspect', { workload: id });
  }

  async stop(id: string, { force = false } = {}): Promise<WorkloadView> {
    return this.client.command('workload.stop', { workload: id, force });
  }

  async untilState(id: string, state: WorkloadState): Promise<Inspection> {
    let view = await this.inspect(id);
    await until(
      () => `${id} is ${state}; it is ${JSON.stringify(view, undefined, 2)}`,
      async () => {
        view = await this.inspect(id);
        if (hasEnded(view.state) && view.state !== state) {
          throw new Error(`${id} ended instead of becoming ${state}: ${JSON.stringify(view)}`);
        }
        return view.state === state;
      },
    );
    return view;
  }

  async end(id: string): Promise<Inspection> {
    let view = await this.inspect(id);
    await until(
      () => `${id} ends; it is ${JSON.stringify(view, undefined, 2)}`,
      async () => hasEnded((view = await this.inspect(id)).state),
    );
    return view;
  }

  /** The whole log of an ended workload. */
  async log(id: string): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    for await (const entry of this.client.followLogs(id)) entries.push(entry);
    return entries;
  }

  async text(id: string, stream: LogEntry['stream'] = 'stdout'): Promise<string> {
    const entries = (await this.log(id)).filter((entry) => entry.stream === stream);
    return Buffer.concat(entries.map(({ bytes }) => bytes)).toString();
  }

  /** Content of a file that a workload wrote into the shared folder; empty while it is not there. */
  async file(name: string): Promise<string> {
    return readFile(path.join(this.work, name), 'utf8').catch(() => '');
  }

  /** Lets those go on that wait for the file `<name>.go`. */
  async letGo(name: string): Promise<void> {
    await writeFile(path.join(this.work, `${name}.go`), '');
  }

  /** It has opened its store again after a failure. */
  async untilGatewayServes(): Promise<void> {
    await until('the gateway serves', async () =>
      this.client.command('fleet.status', {}).then(
        () => true,
        () => false,
      ),
    );
  }

  /** Nothing is reserved on any node, and no attempt is left there. */
  async untilAllFree(): Promise<void> {
    await until('everything is free again', async () => {
      const { nodes } = await this.client.command('node.list', {});
      return nodes.every(
        ({ free, capacity, attempts, gpus }) =>
          attempts === 0 &&
          JSON.stringify(free) === JSON.stringify(capacity) &&
          gpus.every(({ state }) => state === 'free'),
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A gateway that cannot be asked does not keep the rest from being ended and looked at.
    const attemptIds = await this.#endWork().catch(() => []);
    const left = await this.#stop(attemptIds);
    if (left.length > 0) throw new Error(`The fleet left something behind:\n${left.join('\n')}`);
  }

  /** Ends what still runs, so that nobody waits for its grace. Answers the attempts that there ever were. */
  async #endWork(): Promise<string[]> {
    if (!this.gateway.isRunning) return [];
    const { workloads } = await this.client.command('workload.list', { limit: 1000 });
    const live = workloads.filter(({ state }) => !hasEnded(state));
    await Promise.all(live.map(async ({ id }) => this.stop(id, { force: true })));
    return workloads.flatMap(({ attempt }) => attempt?.id ?? []);
  }

  async #stop(attemptIds: readonly string[] = []): Promise<string[]> {
    for (const program of [this.gateway, ...this.nodes.map(({ agent }) => agent)]) program?.signal('SIGCONT');
    const stops = await Promise.allSettled(this.nodes.map(async (node) => node.stop()));
    await this.gateway.kill('SIGTERM');
    // A dying process needs a moment, a control group after it too.
    await until('nothing is left', () => leftovers(this.folder, attemptIds).length === 0, 5000).catch(
      () => undefined,
    );
    const left = leftovers(this.folder, attemptIds);
    if (left.length === 0) await rm(this.folder, { recursive: true, force: true });
    const failed = stops.flatMap((stop) => (stop.status === 'rejected' ? String(stop.reason) : []));
    return [...left, ...failed];
  }

  /** Waits until the gateway answers; answers its owner's token. */
  async #listening(): Promise<string> {
    const folder = path.join(this.#gatewayHome, 'gateway');
    let token = '';
    await until(
      () => `the gateway listens; it said:\n${this.gateway.stdout}${this.gateway.stderr}`,
      async () => {
        if (!this.gateway.isRunning) throw new Error(`The gateway ended:\n${this.gateway.stderr}`);
        const endpoint = await readFile(path.join(folder, 'endpoint.json'), 'utf8').catch(() => '{}');
        const { url = '', pid } = JSON.parse(endpoint) as { readonly url?: string; readonly pid?: number };
        if (pid !== this.gateway.pid) return false;
        this.#port = Number(new URL(url).port);
        token = (await readFile(path.join(folder, 'owner.token'), 'utf8')).trim();
        return true;
      },
    );
    return token;
  }

  async #reconnected(node: string): Promise<void> {
    await until(`${node} is connected again`, async () => {
      const { connectivity } = await this.client.command('node.info', { node });
      return connectivity === 'connected';
    });
  }
}
