import { closeSync } from 'node:fs';
import { userInfo } from 'node:os';
import { CodedError, present, type Clock, type Logger } from '@clawbernetes/kernel';
import type { AttemptCgroups } from './cgroup/attempt-cgroups.ts';
import { Cgroups } from './cgroup/cgroups.ts';
import type { CgroupLimits } from './cgroup/limit-settings.ts';
import type {
  Execution,
  ExecRequest,
  ExecResult,
  ExecutionHandle,
  Executor,
  Launch,
  OutputSink,
} from './executor.ts';
import { AttemptFolders, type AttemptFolder, type Owner } from './process/attempt-folder.ts';
import { execCommand } from './process/exec-command.ts';
import { bareExecPlan, sandboxExecPlan } from './process/exec-plan.ts';
import { FifoPool, writeAll, type Fifo, type InputFifo } from './process/fifo-pool.ts';
import { FirstBytes } from './process/first-bytes.ts';
import { HostSandbox } from './process/host-sandbox.ts';
import { OutputReader } from './process/output-reader.ts';
import { placeLaunch, type Placement, type PlacementHost } from './process/placement.ts';
import { ProcessExecution } from './process/process-execution.ts';
import { startTicks } from './process/process-table.ts';
import { ProcessTree } from './process/process-tree.ts';
import { SandboxReport } from './process/sandbox-report.ts';
import { startChild, type WorkloadChild } from './process/workload-child.ts';
import { DEFAULT_PATH } from './process/workload-environment.ts';

export interface ProcessExecutorOptions {
  /** Folder for the private files of attempts; made if absent. Ours alone. */
  readonly scratch: string;
  readonly policy: { readonly allowUnsandboxed: boolean };
  /** Whether to use control groups where the host lets us; default true. Without, no limit is enforced. */
  readonly useCgroups?: boolean;
  /** Name of our control groups: begins with `clawbernetes`, unique among the supervisors of this host. */
  readonly cgroupName?: string;
  /** Runs workloads as this user; needs root. Absent: as the supervisor's own. */
  readonly owner?: Owner;
  /** Folders that a sandboxed workload never sees, even below its working directory: the node's keys. */
  readonly hidden?: readonly string[];
  /** Where programs are looked for, unless the spec says so. */
  readonly path?: string;
  /** Processes and threads that one workload may have. */
  readonly maxProcesses?: number;
}

/** Enough for a training run with its data loaders and threads, and less than what stops a host. */
const DEFAULT_MAX_PROCESSES = 8192;
const DEFAULT_CGROUP_NAME = 'clawbernetes';

interface Deps {
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Resources {
  readonly folder: AttemptFolder;
  readonly cgroups: AttemptCgroups | undefined;
  readonly fifos: readonly Fifo[];
  readonly input: InputFifo | undefined;
}

interface Started extends Resources {
  readonly placement: Placement;
  readonly child: WorkloadChild;
}

/** The executor that runs commands as processes of this host, in a bubblewrap sandbox where it can. */
export function openProcessExecutor(deps: Deps, options: ProcessExecutorOptions): Promise<ProcessExecutor> {
  return ProcessExecutor.open(deps, options);
}

export class ProcessExecutor implements Executor, AsyncDisposable {
  readonly kind = 'process';
  readonly #deps: Deps;
  readonly #host: Omit<PlacementHost, 'sandbox'>;
  readonly #sandbox: HostSandbox;
  readonly #cgroups: Cgroups;
  readonly #fifos: FifoPool;
  readonly #folders: AttemptFolders;
  readonly #owner: Owner | undefined;
  readonly #maxProcesses: number;

  private constructor(
    deps: Deps,
    parts: {
      readonly host: Omit<PlacementHost, 'sandbox'>;
      readonly sandbox: HostSandbox;
      readonly cgroups: Cgroups;
      readonly fifos: FifoPool;
      readonly folders: AttemptFolders;
      readonly owner: Owner | undefined;
      readonly maxProcesses: number;
    },
  ) {
    this.#deps = deps;
    this.#host = parts.host;
    this.#sandbox = parts.sandbox;
    this.#cgroups = parts.cgroups;
    this.#fifos = parts.fifos;
    this.#folders = parts.folders;
    this.#owner = parts.owner;
    this.#maxProcesses = parts.maxProcesses;
  }

  get limitations(): readonly string[] {
    const sandbox = this.#sandbox.present;
    return [
      ...(typeof sandbox === 'string' ? [`Workloads cannot be sandboxed: ${sandbox}.`] : []),
      ...this.#cgroups.limitations,
    ];
  }

  refresh(): Promise<void> {
    return this.#sandbox.refresh();
  }

  static async open(deps: Deps, options: ProcessExecutorOptions): Promise<ProcessExecutor> {
    const { scratch, policy, owner, hidden = [], path = DEFAULT_PATH } = options;
    // First of all, since it makes the scratch folder passable.
    const folders = await AttemptFolders.open(`${scratch}/attempts`, owner);
    const [fifos, sandbox] = await Promise.all([
      FifoPool.open(`${scratch}/pipes`),
      HostSandbox.open(deps, { hidden: [scratch, ...hidden], ...(owner && { owner }) }),
    ]);
    const cgroups = Cgroups.open({
      name: options.cgroupName ?? DEFAULT_CGROUP_NAME,
      ...(options.useCgroups === false && { mounts: [] }),
    });
    const home = owner === undefined ? userInfo().homedir : '/';
    const host = { path, home, allowUnsandboxed: policy.allowUnsandboxed };
    const maxProcesses = options.maxProcesses ?? DEFAULT_MAX_PROCESSES;
    return new ProcessExecutor(deps, {
      host,
      sandbox,
      cgroups,
      fifos,
      folders,
      owner,
      maxProcesses,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fifos.close();
    await this.#folders.close();
    this.#cgroups.close();
  }

  /** The program is on the host already. */
  async prepare(): Promise<void> {}

  async start(launch: Launch, sink: OutputSink): Promise<Execution> {
    await this.#sandbox.refresh();
    const started = await this.#begin(launch);
    const errors = new FirstBytes(sink);
    const execution = this.#watch(launch, started, errors);
    if (await execution.begun) return execution;
    await execution.exited;
    const detail = errors.text.trim() || 'bubblewrap was killed';
    throw new CodedError(`The sandbox could not be set up: ${detail}`, { code: 'launch-failed' });
  }

  async #begin(launch: Launch): Promise<Started> {
    const folder = this.#folders.take();
    const limits = this.#limits(launch);
    const cgroups = this.#cgroups.plan(launch.attemptId, limits);
    let fifos: readonly Fifo[] = [];
    let input: InputFifo | undefined;
    try {
      const host = { ...this.#host, sandbox: this.#sandbox.present };
      const placement = placeLaunch(host, launch, folder);
      fifos = await this.#fifos.take(placement.sandboxed ? 3 : 2);
      if (placement.input) input = await this.#fifos.takeInput();
      cgroups?.create(limits);
      const child = await startChild({
        ...placement.command,
        fifos,
        ...(input && { input }),
        ...(this.#owner && { owner: this.#owner }),
        ...(cgroups && { cgroups }),
      });
      if (input && placement.input) writeAll(input.writeEnd, placement.input);
      return { placement, folder, cgroups, fifos, input, child };
    } catch (error) {
      for (const { readEnd } of fifos) closeSync(readEnd);
      if (input) closeSync(input.writeEnd);
      await this.#release({ folder, cgroups, fifos, input }, false);
      throw error;
    } finally {
      for (const { writeEnd } of fifos) closeSync(writeEnd);
      if (input) closeSync(input.readEnd);
    }
  }

  async #release({ folder, cgroups, fifos, input }: Resources, clean: boolean): Promise<void> {
    for (const fifo of input ? [...fifos, input] : fifos) {
      if (clean) this.#fifos.giveBack(fifo);
      else this.#fifos.discard(fifo);
    }
    await this.#folders.giveBack(folder);
    if ((await cgroups?.remove(this.#deps.clock)) !== false) return;
    throw new CodedError(`The control groups ${cgroups?.directories.join()} are still in use.`, {
      code: 'cgroup-in-use',
    });
  }

  #watch(launch: Launch, started: Started, sink: OutputSink): ProcessExecution {
    const { placement, child, cgroups, fifos } = started;
    const { clock } = this.#deps;
    const [stdout, stderr, report] = fifos.map(({ readEnd }) => readEnd);
    return new ProcessExecution(this.#deps, {
      launch,
      child,
      cgroups,
      pidStartTicks: startTicks(child.pid),
      readers: [
        new OutputReader(clock, present(stdout, 'stdout'), 'stdout', sink),
        new OutputReader(clock, present(stderr, 'stderr'), 'stderr', sink),
      ],
      report: report === undefined ? undefined : new SandboxReport(report),
      limitations: [...placement.limitations, ...this.#cgroups.limitations],
      release: (clean) => this.#release(started, clean),
      exec: (tree, request) => this.#exec(launch, placement, tree, request),
    });
  }

  #limits({ spec }: Launch): CgroupLimits {
    const { memoryMib, cpuMilli } = spec.resources;
    return {
      processes: this.#maxProcesses,
      ...(memoryMib !== undefined && { memoryBytes: memoryMib * 1024 * 1024 }),
      ...(cpuMilli !== undefined && { cpuMilli }),
    };
  }

  #exec(launch: Launch, placement: Placement, tree: ProcessTree, request: ExecRequest): Promise<ExecResult> {
    const surroundings = {
      command: request.command,
      env: { ...placement.env, ...request.env },
      directory: placement.directory,
      ownNetwork: launch.spec.network === 'none',
      ...(this.#owner && { owner: this.#owner }),
    };
    const plan = placement.sandboxed ? sandboxExecPlan(tree, surroundings) : bareExecPlan(tree, surroundings);
    return execCommand(this.#deps.clock, plan, request);
  }

  /**
   * Attempts of an earlier run that had processes at the opening: pass them to `recover`, also those that
   * nobody remembers.
   */
  get leftovers(): readonly string[] {
    return this.#cgroups.leftovers;
  }

  async recover(attemptId: string, handle: ExecutionHandle): Promise<undefined> {
    const cgroups = this.#cgroups.adopt(attemptId, handle.cgroups ?? []);
    const { pid, pidStartTicks } = handle;
    // Without a pid there is no process to go by, only the groups and the environment.
    const facts = { attemptId, pid: pid ?? 0, sandboxed: false, ...(cgroups && { cgroups }) };
    const tree = new ProcessTree(this.#deps, facts, 'earlier');
    if (pid !== undefined && pidStartTicks !== undefined && startTicks(pid) === pidStartTicks) tree.kill();
    await cgroups?.clear(this.#deps.clock);
    await tree.search();
    await cgroups?.remove(this.#deps.clock);
  }
}
