import { closeSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { CodedError, present, type Clock, type Logger } from '@clawbernetes/kernel';
import type { AttemptCgroups, CgroupLimits } from './cgroup/attempt-cgroups.ts';
import { Cgroups } from './cgroup/cgroups.ts';
import type {
  Execution,
  ExecRequest,
  ExecResult,
  ExecutionHandle,
  Executor,
  Launch,
  OutputSink,
} from './executor.ts';
import { AttemptFolder, type Owner } from './process/attempt-folder.ts';
import { Bubblewrap } from './process/bubblewrap.ts';
import { execCommand } from './process/exec-command.ts';
import { bareExecPlan, sandboxExecPlan } from './process/exec-plan.ts';
import { FifoPool, type Fifo } from './process/fifo-pool.ts';
import { FirstBytes } from './process/first-bytes.ts';
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
  /** Name of our control groups: unique among the supervisors of this host. */
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
const PIPES = '.pipes';

interface Deps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The executor that runs commands as processes of this host, in a bubblewrap sandbox where it can. */
export function openProcessExecutor(deps: Deps, options: ProcessExecutorOptions): Promise<ProcessExecutor> {
  return ProcessExecutor.open(deps, options);
}

export class ProcessExecutor implements Executor, AsyncDisposable {
  readonly kind = 'process';
  readonly limitations: readonly string[];
  readonly #deps: Deps;
  readonly #host: PlacementHost;
  readonly #cgroups: Cgroups;
  readonly #fifos: FifoPool;
  readonly #maxProcesses: number;

  private constructor(
    deps: Deps,
    parts: {
      readonly host: PlacementHost;
      readonly cgroups: Cgroups;
      readonly fifos: FifoPool;
      readonly maxProcesses: number;
    },
  ) {
    this.#deps = deps;
    this.#host = parts.host;
    this.#cgroups = parts.cgroups;
    this.#fifos = parts.fifos;
    this.#maxProcesses = parts.maxProcesses;
    const { sandbox } = parts.host;
    this.limitations = [
      ...(typeof sandbox === 'string' ? [`Workloads cannot be sandboxed: ${sandbox}.`] : []),
      ...parts.cgroups.limitations,
    ];
  }

  static async open(deps: Deps, options: ProcessExecutorOptions): Promise<ProcessExecutor> {
    const { scratch, policy, owner, hidden = [], path = DEFAULT_PATH } = options;
    await mkdir(scratch, { recursive: true, mode: 0o711 });
    const [fifos, sandbox] = await Promise.all([
      FifoPool.open(`${scratch}/${PIPES}`),
      Bubblewrap.open({ hidden: [scratch, ...hidden], ...(owner && { owner }) }),
    ]);
    const cgroups = Cgroups.open({
      name: options.cgroupName ?? DEFAULT_CGROUP_NAME,
      ...(options.useCgroups === false && { mounts: [] }),
    });
    const host = {
      ...{ scratch, sandbox, path, allowUnsandboxed: policy.allowUnsandboxed },
      home: owner === undefined ? userInfo().homedir : '/',
      ...(owner && { owner }),
    };
    const maxProcesses = options.maxProcesses ?? DEFAULT_MAX_PROCESSES;
    const executor = new ProcessExecutor(deps, { host, cgroups, fifos, maxProcesses });
    await executor.#removeOldFolders();
    return executor;
  }

  /** Folders of attempts that ended without us, save those that may still run and wait for `recover`. */
  async #removeOldFolders(): Promise<void> {
    const { scratch } = this.#host;
    const populated = this.#cgroups.populated();
    for (const name of await readdir(scratch)) {
      if (name === PIPES || populated.includes(name)) continue;
      await rm(`${scratch}/${name}`, { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fifos.close();
    this.#cgroups.close();
  }

  /** The program is on the host already. */
  async prepare(): Promise<void> {}

  async start(launch: Launch, sink: OutputSink): Promise<Execution> {
    const placement = placeLaunch(this.#host, launch);
    const limits = this.#limits(launch);
    const cgroups = this.#cgroups.plan(launch.attemptId, limits);
    const fifos = await this.#fifos.take(placement.sandboxed ? 3 : 2);
    const child = await this.#startChild(placement, { fifos, limits, cgroups });
    const errors = new FirstBytes(sink);
    const execution = this.#watch(launch, { placement, child, cgroups, fifos, sink: errors });
    if (await execution.begun) return execution;
    const { message } = await execution.exited;
    const detail = errors.text.trim() || message || 'it ended without a word';
    throw new CodedError(`The sandbox could not be set up: ${detail}`, { code: 'launch-failed' });
  }

  async #startChild(
    { folder, program, name, args, hostEnv, hostDirectory }: Placement,
    made: {
      readonly fifos: readonly Fifo[];
      readonly limits: CgroupLimits;
      readonly cgroups: AttemptCgroups | undefined;
    },
  ): Promise<WorkloadChild> {
    const { fifos, limits, cgroups } = made;
    const { owner } = this.#host;
    const withOwner = owner && { owner };
    try {
      cgroups?.create(limits);
      folder.create(owner);
      const command = { program, name, args, env: hostEnv, directory: hostDirectory };
      return await startChild({ ...command, fifos, ...withOwner, ...(cgroups && { cgroups }) });
    } catch (error) {
      for (const { readEnd } of fifos) closeSync(readEnd);
      await cgroups?.remove(this.#deps.clock);
      await folder.remove();
      throw error;
    } finally {
      for (const { writeEnd } of fifos) closeSync(writeEnd);
    }
  }

  #watch(
    launch: Launch,
    parts: {
      readonly placement: Placement;
      readonly child: WorkloadChild;
      readonly cgroups: AttemptCgroups | undefined;
      readonly fifos: readonly Fifo[];
      readonly sink: OutputSink;
    },
  ): ProcessExecution {
    const { placement, child, cgroups, fifos, sink } = parts;
    const { clock } = this.#deps;
    const [stdout, stderr, report] = fifos.map(({ readEnd }) => readEnd);
    return new ProcessExecution(this.#deps, {
      launch,
      child,
      cgroups,
      folder: placement.folder,
      pidStartTicks: startTicks(child.pid),
      readers: [
        new OutputReader(clock, present(stdout, 'stdout'), 'stdout', sink),
        new OutputReader(clock, present(stderr, 'stderr'), 'stderr', sink),
      ],
      report: report === undefined ? undefined : new SandboxReport(report),
      limitations: [...placement.limitations, ...this.#cgroups.limitations],
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
      ...(this.#host.owner && { owner: this.#host.owner }),
    };
    const plan = placement.sandboxed ? sandboxExecPlan(tree, surroundings) : bareExecPlan(tree, surroundings);
    return execCommand(this.#deps.clock, plan, request);
  }

  async recover(attemptId: string, handle: ExecutionHandle): Promise<undefined> {
    const cgroups = this.#cgroups.adopt(attemptId, handle.cgroups ?? []);
    const { pid, pidStartTicks } = handle;
    const tree = new ProcessTree(this.#deps, {
      attemptId,
      // Without it there is no process to go by; none has the number 0 as its group leader.
      pid: pid ?? 0,
      sandboxed: false,
      ...(cgroups && { cgroups }),
    });
    if (pid !== undefined && pidStartTicks !== undefined && startTicks(pid) === pidStartTicks) tree.kill();
    await cgroups?.clear(this.#deps.clock);
    await tree.search();
    await cgroups?.remove(this.#deps.clock);
    await new AttemptFolder(this.#host.scratch, attemptId).remove();
  }
}
