import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUSYBOX, busyboxArchive } from './busybox-archive.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const PACKAGES = 'podman runc conmon busybox-static';
/** What a host without CAP_SYS_RESOURCE may set. */
const CONFIG = '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n';

/** Why Podman cannot be started here and what would help; undefined if it can. */
export function podmanEngineMissing(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root to start Podman';
  if (['/usr/bin/podman', '/usr/sbin/runc', BUSYBOX].every((path) => existsSync(path))) return undefined;
  return `needs Podman: apt-get install -y --no-install-recommends ${PACKAGES}`;
}

/**
 * Podman's Docker-compatible service of the test's own, in a temporary folder, with the image
 * `busybox:latest`.
 */
export class PodmanEngine implements AsyncDisposable {
  readonly socketPath: string;
  readonly #folder: string;
  #service: ChildProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.socketPath = join(folder, 'podman.sock');
  }

  static async open(): Promise<PodmanEngine> {
    const engine = new PodmanEngine(await mkdtemp(join(tmpdir(), 'cpd-')));
    try {
      await engine.#start();
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#podman('rm', '--force', '--all', '--time', '0');
    const service = this.#service;
    if (service?.exitCode === null) {
      const ended = new Promise((resolve) => service.once('exit', resolve));
      service.kill();
      await ended;
    }
    await killWatchers(this.#folder);
    const mounts = (await readFile('/proc/self/mounts', 'utf8'))
      .split('\n')
      .flatMap((line) => line.split(' ')[1] ?? []);
    for (const mount of mounts.filter((path) => path.startsWith(`${this.#folder}/`)).toReversed()) {
      await run('umount', ['-l', mount]);
    }
    await rm(this.#folder, { recursive: true, force: true });
    await removeCgroups();
  }

  async #start(): Promise<void> {
    await writeFile(join(this.#folder, 'containers.conf'), CONFIG);
    const archive = await busyboxArchive(this.#folder);
    const changes = ['--change', 'CMD ["/bin/sh"]', '--change', 'WORKDIR /work'];
    await this.#podman('import', '--quiet', ...changes, archive, 'docker.io/library/busybox:latest');
    const args = [...this.#options, 'system', 'service', '--time', '0', `unix://${this.socketPath}`];
    this.#service = spawn('podman', args, {
      stdio: 'ignore',
      env: this.#environment,
      // Its watchers note a kill for memory in a file of the folder that they were started in.
      cwd: this.#folder,
    });
    await until('Podman listens', () => existsSync(this.socketPath));
  }

  get #options(): readonly string[] {
    const paths = [
      '--root',
      join(this.#folder, 'root'),
      '--runroot',
      join(this.#folder, 'run'),
      '--tmpdir',
      join(this.#folder, 'tmp'),
    ];
    return [...paths, '--runtime', 'runc', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'];
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, CONTAINERS_CONF: join(this.#folder, 'containers.conf') };
  }

  async #podman(...args: readonly string[]): Promise<void> {
    await run('podman', [...this.#options, ...args], { env: this.#environment });
  }
}

/** Podman's watchers of commands that ran beside a container stay for minutes. */
async function killWatchers(folder: string): Promise<void> {
  await until('no watcher is left', async () => {
    let left = 0;
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (!command.startsWith('/usr/bin/conmon') || !command.includes(`${folder}/`)) continue;
      left += 1;
      process.kill(pid, 'SIGKILL');
    }
    return left === 0;
  });
}

/** Podman leaves its parent group behind; what is in use by another Podman refuses to go. */
async function removeCgroups(): Promise<void> {
  for (const controller of await readdir('/sys/fs/cgroup')) {
    const parent = join('/sys/fs/cgroup', controller, 'libpod_parent');
    const groups = await readdir(parent, { recursive: true, withFileTypes: true }).catch(() => []);
    const folders = groups
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));
    // The deepest first: a path is longer than its parent's.
    const deepestFirst = folders.toSorted((left, right) => right.length - left.length);
    for (const folder of [...deepestFirst, parent]) await rmdir(folder).catch(() => undefined);
  }
}
