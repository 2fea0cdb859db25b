import type { IncomingMessage } from 'node:http';
import { type Clock, CodedError } from '@clawbernetes/kernel';
import { type ContainerState, containerState } from './container-state.ts';
import { EngineClient, refusalStatus } from './engine-client.ts';
import type { EngineReply } from './engine-reply.ts';

/** Docker 19.03 (2019) and Podman 3 speak it; we need nothing newer. */
const OLDEST_API = '1.40';
/**
 * The newest version that this client was written against; an engine that knows a newer one still speaks
 * this.
 */
const NEWEST_API = '1.51';

export interface EngineFacts {
  readonly flavour: 'docker' | 'podman';
  /** Such as `Docker 28.2.2`. */
  readonly name: string;
  readonly apiVersion: string;
  /** What it cannot enforce on this host, in words for a user. */
  readonly limitations: readonly string[];
  readonly runtimes: readonly string[];
  /** Whether it passes devices by the Container Device Interface. */
  readonly cdi: boolean;
  /** CDI names such as `nvidia.com/gpu=0`, where the engine lists them (API 1.50). */
  readonly cdiDevices: readonly string[];
}

export interface ExecState {
  readonly running: boolean;
  readonly exitCode: number | undefined;
  /** On the host. */
  readonly pid: number | undefined;
}

/** The endpoints that we use of the Docker Engine API; each throws what EngineClient throws. */
export class Engine {
  readonly facts: EngineFacts;
  readonly #client: EngineClient;

  private constructor(client: EngineClient, facts: EngineFacts) {
    this.#client = client;
    this.facts = facts;
  }

  /**
   * @throws CodedError `engine-unreachable`, `engine-refused`, or `executor-unavailable` if it is too old.
   */
  static async open(
    deps: { readonly clock: Clock },
    { socketPath, timeoutMs }: { readonly socketPath: string; readonly timeoutMs: number },
  ): Promise<Engine> {
    const client = new EngineClient(deps, { socketPath });
    const version = await client.call({ method: 'GET', path: '/version', timeoutMs });
    client.useVersion(negotiated(version, socketPath));
    const info = await client.call({ method: 'GET', path: '/info', timeoutMs });
    return new Engine(client, engineFacts(version, info, negotiated(version, socketPath)));
  }

  async imageIsPresent(image: string, options: { signal?: AbortSignal }): Promise<boolean> {
    const path = `/images/${encodeURIComponent(image)}/json`;
    try {
      await this.#client.call({ method: 'GET', path, signal: options.signal });
      return true;
    } catch (error) {
      if (refusalStatus(error) === 404) return false;
      throw error;
    }
  }

  /** Progress as lines of JSON; an error within is a line, too. */
  pull(image: string, options: { signal?: AbortSignal }): Promise<IncomingMessage> {
    const query = { fromImage: image };
    return this.#client.stream({
      method: 'POST',
      path: '/images/create',
      query,
      timeoutMs: 'none',
      ...options,
    });
  }

  async create(name: string, body: unknown): Promise<string> {
    const reply = await this.#client.call({
      method: 'POST',
      path: '/containers/create',
      query: { name },
      body,
    });
    const id = reply.at('Id').text();
    if (id === undefined)
      throw new CodedError('The engine created a container without an id.', { code: 'engine-unreachable' });
    return id;
  }

  /** A container that already runs is left as it is. Images on slow disks take their time to be mounted. */
  async start(id: string): Promise<void> {
    await this.#client.call({ method: 'POST', path: `/containers/${id}/start`, timeoutMs: 120_000 });
  }

  async inspect(idOrName: string): Promise<ContainerState> {
    return containerState(await this.#client.call({ method: 'GET', path: `/containers/${idOrName}/json` }));
  }

  /** Resolves once the container does not run; its end is then in `inspect`. */
  async wait(id: string, options: { signal?: AbortSignal }): Promise<void> {
    const query = { condition: 'not-running' };
    const request = {
      method: 'POST',
      path: `/containers/${id}/wait`,
      query,
      timeoutMs: 'none',
      ...options,
    } as const;
    const reply = await this.#client.call(request);
    // An engine that stops while we wait may end the reply politely and empty.
    if (reply.at('StatusCode').number() === undefined) {
      throw new CodedError('The container engine ended the wait early.', { code: 'engine-unreachable' });
    }
  }

  /** False if it does not run. */
  async kill(id: string, signal: string): Promise<boolean> {
    try {
      await this.#client.call({ method: 'POST', path: `/containers/${id}/kill`, query: { signal } });
      return true;
    } catch (error) {
      const status = refusalStatus(error);
      if (status === 404 || status === 409) return false;
      throw error;
    }
  }

  /** Kills it if it runs; its anonymous volumes go with it. */
  async remove(id: string): Promise<void> {
    try {
      const query = { force: true, v: true };
      await this.#client.call({ method: 'DELETE', path: `/containers/${id}`, query, timeoutMs: 60_000 });
    } catch (error) {
      const status = refusalStatus(error);
      // 409: its removal is in progress already.
      if (status !== 404 && status !== 409) throw error;
    }
  }

  /** Ids and labels of all containers, ended ones included, that carry `label` (`key=value`). */
  async list(label: string): Promise<readonly { readonly id: string; readonly labels: EngineReply }[]> {
    const query = { all: true, filters: JSON.stringify({ label: [label] }) };
    const reply = await this.#client.call({ method: 'GET', path: '/containers/json', query });
    return reply.items().map((item) => ({ id: item.at('Id').text() ?? '', labels: item.at('Labels') }));
  }

  /** The output from now on as frames, as it comes; the container waits for a reader that is slow. */
  attach(id: string, { signal }: { signal: AbortSignal }): Promise<IncomingMessage> {
    const query = { stream: true, stdout: true, stderr: true };
    return this.#client.stream({ method: 'POST', path: `/containers/${id}/attach`, query, signal });
  }

  /**
   * What the engine kept of the output since then (unix time), as frames of one entry each that begin with
   * its time.
   */
  logs(
    id: string,
    { since, signal }: { since: string | undefined; signal: AbortSignal },
  ): Promise<IncomingMessage> {
    const from = since === undefined ? {} : { since };
    const query = { stdout: true, stderr: true, timestamps: true, ...from };
    return this.#client.stream({ method: 'GET', path: `/containers/${id}/logs`, query, signal });
  }

  async stats(id: string): Promise<EngineReply> {
    const query = { stream: false, 'one-shot': true };
    return this.#client.call({ method: 'GET', path: `/containers/${id}/stats`, query });
  }

  async createExec(id: string, command: readonly string[], env: readonly string[]): Promise<string> {
    const body = { Cmd: command, Env: env, AttachStdout: true, AttachStderr: true, Tty: false };
    const reply = await this.#client.call({ method: 'POST', path: `/containers/${id}/exec`, body });
    return reply.at('Id').text() ?? '';
  }

  /** Its output as frames. */
  startExec(execId: string, { signal }: { signal: AbortSignal }): Promise<IncomingMessage> {
    const body = { Detach: false, Tty: false };
    return this.#client.stream({ method: 'POST', path: `/exec/${execId}/start`, body, signal });
  }

  async inspectExec(execId: string): Promise<ExecState> {
    const reply = await this.#client.call({ method: 'GET', path: `/exec/${execId}/json` });
    return {
      running: reply.at('Running').flag() === true,
      exitCode: reply.at('ExitCode').number(),
      pid: reply.at('Pid').number() || undefined,
    };
  }
}

function negotiated(version: EngineReply, socketPath: string): string {
  const newest = version.at('ApiVersion').text() ?? '0.0';
  const oldest = version.at('MinAPIVersion').text() ?? OLDEST_API;
  if (compareVersions(newest, OLDEST_API) < 0) {
    throw new CodedError(
      `The container engine at ${socketPath} speaks API ${newest}; at least ${OLDEST_API} is needed ` +
        '(Docker 19.03 or Podman 3). Upgrade the engine.',
      { code: 'executor-unavailable' },
    );
  }
  const wanted = compareVersions(newest, NEWEST_API) < 0 ? newest : NEWEST_API;
  return compareVersions(wanted, oldest) < 0 ? oldest : wanted;
}

function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

/** Seen with Podman 4.3; GPUs: see gpu-requests.ts. */
const PODMAN_LIMITATIONS = [
  'Podman reports a kill at the memory limit as any other kill.',
  'Podman gives no GPUs to containers that are started through its Docker-compatible API.',
] as const;

const ENGINE_NAMES = { docker: 'Docker', podman: 'Podman' } as const;

/** Exported for tests of engines that this machine does not have. */
export function engineFacts(version: EngineReply, info: EngineReply, apiVersion: string): EngineFacts {
  const components = version
    .at('Components')
    .items()
    .map((component) => component.at('Name').text() ?? '');
  const flavour = components.some((name) => name.startsWith('Podman')) ? 'podman' : 'docker';
  const discovered = info.at('DiscoveredDevices').items();
  return {
    flavour,
    name: `${ENGINE_NAMES[flavour]} ${version.at('Version').text() ?? '(version unknown)'}`,
    apiVersion,
    limitations: [...limitationsOf(info), ...(flavour === 'podman' ? PODMAN_LIMITATIONS : [])],
    runtimes: info.at('Runtimes').keys(),
    cdi: info.at('CDISpecDirs').items().length > 0,
    cdiDevices: discovered.flatMap((device) => device.at('Name').text() ?? []),
  };
}

const ENFORCEMENTS = [
  ['MemoryLimit', 'memory limits'],
  ['SwapLimit', 'limits on swap: a workload may use swap beyond its memory limit'],
  ['CpuCfsQuota', 'CPU limits'],
  ['PidsLimit', 'limits on the number of processes'],
] as const;

function limitationsOf(info: EngineReply): string[] {
  return ENFORCEMENTS.filter(([flag]) => info.at(flag).flag() === false).map(
    ([, what]) => `This host's container engine cannot enforce ${what}.`,
  );
}
