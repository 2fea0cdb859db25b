import {
  CodedError,
  errorMessage,
  formatBytes,
  type Clock,
  type Logger,
  type Timer,
} from '@clawbernetes/kernel';
import type { EndReason } from '@clawbernetes/protocol';
import type { AttemptCgroups } from '../cgroup/attempt-cgroups.ts';
import type {
  ExecRequest,
  ExecResult,
  Execution,
  ExecutionExit,
  ExecutionHandle,
  ExecutionStats,
  Launch,
} from '../executor.ts';
import type { OutputReader } from './output-reader.ts';
import { ProcessTree } from './process-tree.ts';
import type { SandboxReport } from './sandbox-report.ts';
import type { ChildEnd, WorkloadChild } from './workload-child.ts';

/** What a started workload consists of. */
export interface ExecutionParts {
  readonly launch: Launch;
  readonly child: WorkloadChild;
  readonly pidStartTicks: number | undefined;
  readonly cgroups: AttemptCgroups | undefined;
  readonly readers: readonly OutputReader[];
  /** Of a sandboxed workload. */
  readonly report: SandboxReport | undefined;
  readonly limitations: readonly string[];
  /** Gives back what the workload used; `clean` = no process can hold any of it. */
  readonly release: (clean: boolean) => Promise<void>;
  /** Runs a command beside the workload. */
  readonly exec: (tree: ProcessTree, request: ExecRequest) => Promise<ExecResult>;
}

export class ProcessExecution implements Execution {
  readonly handle: ExecutionHandle;
  readonly exited: Promise<ExecutionExit>;
  readonly #deps: { readonly clock: Clock; readonly logger: Logger };
  readonly #parts: ExecutionParts;
  readonly #tree: ProcessTree;
  #over = false;
  #stopReason: EndReason | undefined;
  #stopMessage: string | undefined;
  #killTimer: Timer | undefined;
  #killAtMs = Infinity;
  #killed = false;

  constructor(deps: { readonly clock: Clock; readonly logger: Logger }, parts: ExecutionParts) {
    this.#deps = deps;
    this.#parts = parts;
    const { child, cgroups, launch, report, pidStartTicks } = parts;
    const sandboxed = report !== undefined;
    const { attemptId } = launch;
    this.#tree = new ProcessTree(
      deps,
      { pid: child.pid, attemptId, sandboxed, ...(cgroups && { cgroups }) },
      'now',
    );
    this.handle = {
      executor: 'process',
      pid: child.pid,
      ...(pidStartTicks !== undefined && { pidStartTicks }),
      ...(cgroups && { cgroups: cgroups.directories }),
    };
    this.exited = this.#finish();
  }

  /** Whether the workload itself has been reached; false if its sandbox could not be set up. */
  get begun(): Promise<boolean> {
    return this.#begin();
  }

  async #begin(): Promise<boolean> {
    const begun = (await this.#parts.report?.begun) ?? true;
    // Looked up once while it lives, so that the end can wait for it.
    if (begun && this.#parts.cgroups === undefined) void this.#tree.sandboxInit;
    return begun;
  }

  get sandbox(): 'bubblewrap' | 'none' {
    return this.#parts.report === undefined ? 'none' : 'bubblewrap';
  }

  get limitations(): readonly string[] {
    return this.#parts.limitations;
  }

  stop(graceMs: number, reason: EndReason): void {
    if (this.#over) return;
    const first = this.#stopReason === undefined;
    this.#stopReason ??= reason;
    const killAtMs = this.#deps.clock.monotonicMs() + graceMs;
    if (killAtMs >= this.#killAtMs) return;
    this.#killAtMs = killAtMs;
    this.#killTimer?.cancel();
    if (graceMs <= 0) return this.#kill();
    if (first) this.#tree.terminate();
    this.#killTimer = this.#deps.clock.after(graceMs, () => {
      this.#stopMessage = `It did not end within ${graceMs} ms of SIGTERM and was killed.`;
      this.#kill();
    });
  }

  #kill(): void {
    if (this.#over) return;
    this.#killed = true;
    this.#tree.kill();
  }

  async exec(request: ExecRequest): Promise<ExecResult> {
    this.#assertRunning();
    return this.#parts.exec(this.#tree, request);
  }

  async stats(): Promise<ExecutionStats> {
    this.#assertRunning();
    return this.#tree.stats();
  }

  #assertRunning(): void {
    if (!this.#over) return;
    throw new CodedError(`Attempt ${this.#parts.launch.attemptId} is not running any more.`, {
      code: 'attempt-not-running',
    });
  }

  async #finish(): Promise<ExecutionExit> {
    const { child, cgroups, readers, report } = this.#parts;
    const end = await child.ended;
    this.#over = true;
    this.#killTimer?.cancel();
    const finishedAtMs = this.#deps.clock.nowMs();
    const stuck = await this.#tree.clear();
    const [ends] = await Promise.all([
      Promise.all(readers.map((reader) => reader.finish())),
      report?.finish(this.#deps.clock),
    ]);
    const outOfMemoryKills = cgroups?.outOfMemoryKills() ?? 0;
    await this.#release(stuck === 0 && ends.every(Boolean));
    return { ...this.#describe(end, outOfMemoryKills, stuck), finishedAtMs };
  }

  async #release(clean: boolean): Promise<void> {
    try {
      await this.#parts.release(clean);
    } catch (error) {
      // The workload has ended all the same; the next start of the executor cleans up.
      const { attemptId } = this.#parts.launch;
      this.#deps.logger.warn('attempt could not be cleaned up', { attemptId, error: errorMessage(error) });
    }
  }

  #describe(end: ChildEnd, outOfMemoryKills: number, stuck: number): Omit<ExecutionExit, 'finishedAtMs'> {
    const { report } = this.#parts;
    const verdict = report?.verdict;
    // A sandbox that is killed has no verdict: bubblewrap itself then ends by the signal or with 128 + 9.
    const said = report === undefined ? end : (verdict ?? {});
    // While a tree is killed, what is not dead yet sees its children die and cannot fork: how it fails then
    // is our doing.
    const { exitCode, signal = exitCode === undefined ? 'SIGKILL' : undefined } =
      this.#killed && said.exitCode !== 0 ? { signal: said.signal ?? 'SIGKILL' } : said;
    const outOfMemory = outOfMemoryKills > 0 && signal === 'SIGKILL' && this.#stopReason === undefined;
    const reason = outOfMemory
      ? 'out-of-memory'
      : (this.#stopReason ?? (verdict?.notFound && 'command-not-found'));
    const message = this.#message({
      outOfMemoryKills,
      outOfMemory,
      stuck,
      notFound: verdict?.notFound === true,
    });
    return {
      ...(exitCode !== undefined && signal === undefined && { exitCode }),
      ...(signal !== undefined && { signal }),
      ...(reason !== undefined && { reason }),
      ...(message !== undefined && { message }),
    };
  }

  #message(facts: {
    readonly outOfMemoryKills: number;
    readonly outOfMemory: boolean;
    readonly stuck: number;
    readonly notFound: boolean;
  }): string | undefined {
    const { outOfMemoryKills, outOfMemory, stuck, notFound } = facts;
    const memoryMib = this.#parts.launch.spec.resources.memoryMib ?? 0;
    const limit = formatBytes(memoryMib * 1024 * 1024);
    if (outOfMemory) return `It used more than its memory limit of ${limit}; ask for more with --memory.`;
    if (outOfMemoryKills > 0)
      return `${outOfMemoryKills} of its processes were killed at its memory limit of ${limit}.`;
    if (stuck > 0) return `${stuck} of its processes hang in the kernel and could not be killed.`;
    if (notFound) return `The program "${this.#parts.launch.spec.command[0]}" was not found in the sandbox.`;
    return this.#stopMessage;
  }
}
