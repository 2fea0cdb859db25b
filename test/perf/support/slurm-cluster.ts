import { type ChildProcess, type SpawnOptions, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { hostname, tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SLURM_NODES, SLURM_PORTS, slurmConf } from './slurm-conf.ts';

const run = promisify(execFile);

const NEEDED = ['/usr/sbin/slurmctld', '/usr/sbin/slurmd', '/usr/bin/sbatch', '/usr/sbin/munged'] as const;
const PACKAGES = 'slurmctld slurmd slurm-client munge';
/** Below the ports that Linux hands out by itself, which begin at 32768. */
const PORTS = { from: 20_000, to: 32_000 } as const;
/** The guide that slurm-conf.ts follows advises ten; the default is two. */
const MUNGE_THREADS = 10;
const START_MS = 120_000;
const COMMAND_MS = 60_000;
const PROBE_MS = 2000;

/**
 * Waits until its input ends, which it also does when the benchmark is killed, then ends all that has the
 * cluster's configuration in its environment (daemons, what supervises their jobs, the jobs) and removes the
 * folder. There is nothing to save, so none is asked first; a slurmd that cannot reach its controller would
 * not listen anyway.
 */
const REAPER = `
cat
pids() { grep -lszxF "SLURM_CONF=$1/slurm.conf" /proc/[0-9]*/environ | cut -d / -f 3; }
looks=0
while [ -n "$(pids "$1")" ]; do
  looks=$((looks + 1))
  [ "$looks" -le 300 ] || exit 1
  kill -KILL $(pids "$1")
  sleep 0.1
done
rm -rf "$1"
`;

/** Why no Slurm can be started here and what would help; undefined if one can. */
export function slurmMissing(): string | undefined {
  if (NEEDED.every((program) => existsSync(program))) return undefined;
  return `needs Slurm: apt-get install -y --no-install-recommends ${PACKAGES}`;
}

/**
 * A Slurm of the benchmark's own in a temporary folder: one controller and 64 nodes on loopback, as the user
 * who runs it. Closing it ends every process it started, jobs included, and removes the folder.
 */
export class SlurmCluster implements AsyncDisposable {
  readonly #folder: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #reaper: ChildProcess;
  readonly #daemons: ChildProcess[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
    // Nothing else of ours: sbatch would hand all of it to each job.
    this.#environment = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      SLURM_CONF: path.join(folder, 'slurm.conf'),
    };
    // In a session of its own, where Ctrl-C does not reach it.
    const options: SpawnOptions = { stdio: ['pipe', 'ignore', 'ignore'], detached: true };
    this.#reaper = spawn('sh', ['-c', REAPER, 'reaper', folder], options);
  }

  static async open(): Promise<SlurmCluster> {
    const cluster = new SlurmCluster(await mkdtemp(path.join(tmpdir(), 'claw-slurm-')));
    try {
      await cluster.#configure();
      await cluster.#startMunge();
      await cluster.#startSlurm();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Submits an array of jobs, each of which runs `program` alone; answers the array's id. */
  async submitArray(program: string, count: number): Promise<string> {
    // As the script's interpreter the program is all that runs; with --wrap there would be a shell for each
    // job too.
    const script = path.join(this.#folder, 'job');
    await writeFile(script, `#!${program}\n`);
    const quiet = ['--parsable', '--output=/dev/null', `--chdir=${this.#folder}`];
    return (await this.#command('sbatch', [...quiet, `--array=1-${count}`, script])).trim();
  }

  /**
   * Jobs that have ended, however they did, since the cluster was opened or since midnight UTC. A cheap
   * question (3 ms), unlike squeue, and prompt, unlike `sbatch --wait`, which looks every 2 s at first and in
   * the end every 10 s.
   */
  async endedJobs(): Promise<number> {
    return Number(/^Jobs completed:\s+(\d+)/m.exec(await this.#command('sdiag', []))?.[1] ?? 0);
  }

  /** States other than success among an array's jobs that Slurm still remembers; it does for 5 minutes. */
  async failures(arrayId: string): Promise<readonly string[]> {
    const args = ['--noheader', '--array', '--states=all', '--format=%T', `--jobs=${arrayId}`];
    const states = (await this.#command('squeue', args)).split('\n').map((state) => state.trim());
    return states.filter((state) => !['', 'COMPLETED', 'COMPLETING'].includes(state));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#reaper, 'exit');
    this.#reaper.stdin?.end();
    const [code] = await exit;
    if (code !== 0) throw new Error(`processes of Slurm do not end; they name ${this.#folder}`);
  }

  async #configure(): Promise<void> {
    // munged insists that everybody can reach its socket; what is inside is readable by its owner alone.
    await chmod(this.#folder, 0o711);
    const host = hostname().split('.')[0] ?? 'localhost';
    const place = {
      folder: this.#folder,
      host,
      user: userInfo().username,
      firstPort: await freePorts(SLURM_PORTS),
    };
    await writeFile(path.join(this.#folder, 'slurm.conf'), slurmConf(place));
    await writeFile(path.join(this.#folder, 'munge.key'), randomBytes(128), { mode: 0o600 });
  }

  async #startMunge(): Promise<void> {
    const socket = path.join(this.#folder, 'munge.sock');
    const files = ['key', 'log', 'pid', 'seed'].map((kind) => `--${kind}-file=${this.#folder}/munge.${kind}`);
    this.#start('munged', ['--foreground', `--socket=${socket}`, ...files, `--num-threads=${MUNGE_THREADS}`]);
    await this.#until('munged listens', () => existsSync(socket));
  }

  async #startSlurm(): Promise<void> {
    this.#start('slurmctld', ['-D']);
    for (let node = 1; node <= SLURM_NODES; node += 1) {
      await mkdir(path.join(this.#folder, `node${node}`));
      this.#start('slurmd', ['-D', '-N', `node${node}`]);
    }
    await this.#until(`all ${SLURM_NODES} nodes are idle`, () => this.#allIdle());
  }

  #start(program: string, args: readonly string[]): void {
    const log = openSync(path.join(this.#folder, `${program}.out`), 'a');
    const options: SpawnOptions = { env: this.#environment, cwd: this.#folder, stdio: ['ignore', log, log] };
    this.#daemons.push(spawn(program, args, options));
    closeSync(log);
  }

  async #allIdle(): Promise<boolean> {
    // Until slurmctld listens it fails, or tries again for as long as it may.
    const args = ['--noheader', '--states=idle', '--format=%D'];
    const idle = await this.#command('sinfo', args, PROBE_MS).catch(() => '0');
    return Number(idle) === SLURM_NODES;
  }

  async #command(program: string, args: readonly string[], timeout = COMMAND_MS): Promise<string> {
    const options = { env: this.#environment, cwd: this.#folder, timeout };
    return (await run(program, args, options)).stdout;
  }

  /** Waits for a step of the start; a daemon that ends meanwhile ends the wait. */
  async #until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + START_MS;
    while (!(await condition())) {
      const ended = this.#daemons.find((daemon) => daemon.exitCode !== null || daemon.signalCode !== null);
      if (ended !== undefined) {
        const program = ended.spawnargs[0] ?? '';
        const output = await readFile(path.join(this.#folder, `${program}.out`), 'utf8');
        throw new Error(`${program} ended before ${what}:\n${output.slice(-2000)}`);
      }
      if (performance.now() > deadlineMs) throw new Error(`waited ${START_MS} ms in vain until ${what}`);
      await pause(100);
    }
  }
}

/** The first of so many free ports in a row; slurm.conf gives them as ranges. */
async function freePorts(count: number): Promise<number> {
  for (let first = PORTS.from; first + count <= PORTS.to; first += count) {
    if (await areFree(first, count)) return first;
  }
  throw new Error(`no ${count} ports in a row are free between ${PORTS.from} and ${PORTS.to}`);
}

async function areFree(first: number, count: number): Promise<boolean> {
  const probes: Server[] = [];
  try {
    for (let port = first; port < first + count; port += 1) {
      const probe = createServer().listen(port, '127.0.0.1');
      await once(probe, 'listening');
      probes.push(probe);
    }
    return true;
  } catch {
    return false;
  } finally {
    await Promise.all(probes.map((probe) => promisify(probe.close.bind(probe))()));
  }
}
