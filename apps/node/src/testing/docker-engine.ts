import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createReadStream, existsSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { CodedError } from '@clawbernetes/kernel';
import { BUSYBOX, busyboxArchive } from './busybox-archive.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const NEEDED = ['/usr/sbin/dockerd', '/usr/bin/containerd', '/usr/sbin/iptables'] as const;
const PACKAGES = 'docker.io containerd iptables busybox-static';
const READY_MS = 30_000;

/** Why a real engine cannot be started here and what would help; undefined if it can. */
export function dockerEngineMissing(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'needs Linux and root to start a Docker engine';
  if (!NEEDED.every((path) => existsSync(path)) || !existsSync(BUSYBOX)) {
    return `needs a Docker engine: apt-get install -y --no-install-recommends ${PACKAGES}`;
  }
  return undefined;
}

export interface DockerEngineOptions {
  /** Whether containers outlive the daemon. */
  readonly liveRestore?: boolean;
}

/**
 * A Docker engine of the test's own, in a temporary folder, with the image `busybox:latest`. Closing it ends
 * everything it started and removes what it mounted.
 */
export class DockerEngine implements AsyncDisposable {
  readonly socketPath: string;
  readonly #folder: string;
  readonly #liveRestore: boolean;
  #containerd: ChildProcess | undefined;
  #daemon: ChildProcess | undefined;

  private constructor(folder: string, liveRestore: boolean) {
    this.#folder = folder;
    this.#liveRestore = liveRestore;
    this.socketPath = join(folder, 'docker.sock');
  }

  static async open({ liveRestore = false }: DockerEngineOptions = {}): Promise<DockerEngine> {
    // Short: the path of a unix socket has at most 107 bytes.
    const engine = new DockerEngine(await mkdtemp(join(tmpdir(), 'cdk-')), liveRestore);
    try {
      await engine.#startContainerd();
      await engine.start();
      await engine.#importBusybox();
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Beside the daemon, as systemd runs it, so that containers can outlive the daemon. */
  async #startContainerd(): Promise<void> {
    const paths = [`--root=${this.#folder}/containerd/root`, `--state=${this.#folder}/containerd/state`];
    const log = openSync(join(this.#folder, 'containerd.log'), 'a');
    const args = [`--address=${this.#containerdSocket}`, '--log-level=warn', ...paths];
    this.#containerd = spawn('/usr/bin/containerd', args, { stdio: ['ignore', log, log] });
    await until('containerd listens', () => existsSync(this.#containerdSocket), READY_MS);
  }

  /** Starts the daemon, or starts it again on the same data. */
  async start(): Promise<void> {
    const log = openSync(join(this.#folder, 'dockerd.log'), 'a');
    const paths = [
      `--data-root=${this.#folder}/root`,
      `--exec-root=${this.#folder}/exec`,
      `--pidfile=${this.#folder}/pid`,
    ];
    const alone = [
      '--bridge=none',
      '--iptables=false',
      '--ip6tables=false',
      '--ip-forward=false',
      '--ip-masq=false',
    ];
    const args = [
      '-H',
      `unix://${this.socketPath}`,
      ...paths,
      ...alone,
      `--cgroup-parent=${this.#cgroup}`,
      `--live-restore=${this.#liveRestore}`,
      `--containerd=${this.#containerdSocket}`,
    ];
    this.#daemon = spawn('/usr/sbin/dockerd', args, { stdio: ['ignore', log, log] });
    const daemon = this.#daemon;
    await until(
      'the Docker engine answers',
      async () => {
        if (daemon.exitCode !== null) throw await this.#failure();
        return this.#answers();
      },
      READY_MS,
    );
  }

  /** Ends the daemon alone, as a crash would; containers and containerd go on. */
  async kill(): Promise<void> {
    await end(this.#daemon, 'SIGKILL');
    // What a crash leaves behind keeps the next start from going on.
    await rm(join(this.#folder, 'pid'), { force: true });
  }

  /** Stops it in order, which stops its containers. */
  async stop(): Promise<void> {
    await end(this.#daemon, 'SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#daemon, 'SIGTERM');
    await end(this.#containerd, 'SIGTERM');
    await this.#killLeftovers();
    await this.#unmount();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    await this.#removeCgroups();
  }

  get #containerdSocket(): string {
    return join(this.#folder, 'containerd.sock');
  }

  get #cgroup(): string {
    return `/${this.#folder.split('/').at(-1)}`;
  }

  async #answers(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const ping = request(
      { socketPath: this.socketPath, path: '/_ping', agent: false, timeout: 2000 },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    ping.on('error', () => resolve(false)).end();
    return promise;
  }

  async #failure(): Promise<CodedError> {
    const log = await readFile(join(this.#folder, 'dockerd.log'), 'utf8');
    return new CodedError(`dockerd ended at once:\n${log.slice(-2000)}`, { code: 'launch-failed' });
  }

  async #importBusybox(): Promise<void> {
    const archive = await busyboxArchive(this.#folder);
    await this.#import(archive);
    await rm(archive);
  }

  async #import(archive: string): Promise<void> {
    const query = new URLSearchParams({ fromSrc: '-', repo: 'busybox', tag: 'latest' });
    for (const change of ['CMD ["/bin/sh"]', 'WORKDIR /work']) query.append('changes', change);
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const path = `/images/create?${query.toString()}`;
    const outgoing = request(
      { socketPath: this.socketPath, method: 'POST', path, agent: false },
      (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      },
    );
    outgoing.on('error', reject);
    await pipeline(createReadStream(archive), outgoing);
    const status = await promise;
    if (status !== 200)
      throw new CodedError(`The engine refused the image (${status}).`, { code: 'launch-failed' });
  }

  /** containerd and its shims, when the daemon was killed: all name our folder in their command line. */
  async #killLeftovers(): Promise<void> {
    await until('containerd and its shims are gone', async () => {
      const pids = await this.#pids();
      for (const pid of pids) signalIfThere(pid);
      return pids.length === 0;
    });
  }

  async #pids(): Promise<readonly number[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const ours: number[] = [];
    for (const pid of pids) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const cgroups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
      const isEngine = command.includes('containerd') && command.includes(`${this.#folder}/`);
      if (isEngine || cgroups.includes(`${this.#cgroup}/`)) ours.push(pid);
    }
    return ours;
  }

  async #unmount(): Promise<void> {
    const mounts = await readFile('/proc/self/mounts', 'utf8');
    const ours = mounts.split('\n').flatMap((line) => line.split(' ')[1] ?? []);
    for (const mount of ours.filter((path) => path.startsWith(`${this.#folder}/`)).toReversed()) {
      await run('umount', ['-l', mount]);
    }
  }

  async #removeCgroups(): Promise<void> {
    for (const controller of await readdir('/sys/fs/cgroup')) {
      await removeCgroup(join('/sys/fs/cgroup', controller, this.#cgroup));
    }
    await removeCgroup(join('/sys/fs/cgroup', this.#cgroup));
  }
}

async function removeCgroup(path: string): Promise<void> {
  if (!existsSync(path)) return;
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await rmdir(join(path, entry.name));
  }
  await rmdir(path);
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

function signalIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
