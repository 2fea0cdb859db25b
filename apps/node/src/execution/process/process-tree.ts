import { assert, errorCode, sleep, type Clock } from '@clawbernetes/kernel';
import type { AttemptCgroups } from '../cgroup/attempt-cgroups.ts';
import type { ExecutionStats } from '../executor.ts';
import { childrenOf, pidsWithMarker, startTicks, treeOf, usageOf } from './process-table.ts';
import { attemptMarker } from './workload-environment.ts';

export interface ProcessTreeFacts {
  /** The first process; of a sandbox, bubblewrap's monitor outside. */
  readonly pid: number;
  readonly attemptId: string;
  readonly sandboxed: boolean;
  readonly cgroups?: AttemptCgroups;
}

const SEARCH_DEADLINE_MS = 10_000;
/** In less time than this, no host runs through all its pids. */
const YOUNG_MS = 2000;

/** All processes of an attempt: by control group if there is one, else by process group and environment. */
export class ProcessTree {
  readonly #clock: Clock;
  readonly #facts: ProcessTreeFacts;
  readonly #bornMs: number;
  #cpuMs = 0;
  #init: number | undefined;

  constructor({ clock }: { readonly clock: Clock }, facts: ProcessTreeFacts, born: 'now' | 'earlier') {
    this.#clock = clock;
    this.#bornMs = born === 'now' ? clock.monotonicMs() : -Infinity;
    this.#facts = facts;
  }

  get facts(): ProcessTreeFacts {
    return this.#facts;
  }

  /** The first process inside a sandbox, as seen from outside, once it is there. */
  get sandboxInit(): number | undefined {
    this.#init ??= childrenOf(this.#facts.pid)[0];
    return this.#init;
  }

  /**
   * The shell inside a sandbox that reports its end: it is in all namespaces of the workload from the start.
   */
  get reporter(): number | undefined {
    const init = this.sandboxInit;
    return init === undefined ? undefined : childrenOf(init)[0];
  }

  /** SIGTERM to the process group of the workload's program, as Ctrl-C in a terminal would reach it. */
  terminate(): void {
    const { sandboxed, pid } = this.#facts;
    const leader = sandboxed ? this.sandboxInit : pid;
    // A sandbox without a first process has not begun the workload.
    if (leader === undefined) signal(pid, 'SIGKILL');
    else signal(-leader, 'SIGTERM');
  }

  /** SIGKILL to everything that can be found now. The first process must not be reaped yet. */
  kill(): void {
    const { pid, cgroups, sandboxed } = this.#facts;
    cgroups?.kill();
    // Taking the sandbox's first process takes the whole pid namespace.
    const init = sandboxed ? this.sandboxInit : undefined;
    if (init !== undefined) signal(init, 'SIGKILL');
    signal(sandboxed ? pid : -pid, 'SIGKILL');
  }

  /** After the first process has ended: kills until nothing is left. Answers how many could not be killed. */
  async clear(): Promise<number> {
    const { cgroups, sandboxed, pid } = this.#facts;
    if (cgroups !== undefined) return cgroups.clear(this.#clock);
    // The kernel ends what is left of a sandbox together with its first process.
    if (sandboxed)
      return this.#poll(() => (this.#init === undefined || !isAlive(this.#init) ? [] : [this.#init]));
    signal(-pid, 'SIGKILL');
    return this.search();
  }

  /** Kills what carries the attempt's id in its environment; answers how many could not be killed. */
  search(): Promise<number> {
    const marker = attemptMarker(this.#facts.attemptId);
    const young = this.#clock.monotonicMs() - this.#bornMs < YOUNG_MS;
    const after = young ? this.#facts.pid : 0;
    return this.#poll(() => pidsWithMarker(marker, after).filter((pid) => isAlive(pid)));
  }

  async #poll(find: () => readonly number[]): Promise<number> {
    const deadline = this.#clock.monotonicMs() + SEARCH_DEADLINE_MS;
    for (let pauseMs = 1; ; pauseMs = Math.min(100, pauseMs * 2)) {
      const found = find();
      if (found.length === 0 || this.#clock.monotonicMs() > deadline) return found.length;
      for (const pid of found) signal(pid, 'SIGKILL');
      await sleep(this.#clock, pauseMs);
    }
  }

  stats(): ExecutionStats {
    const { cgroups, pid } = this.#facts;
    const grouped = cgroups?.usage() ?? {};
    const pids = cgroups?.pids() ?? treeOf(pid);
    const usages = pids.map(usageOf).filter((usage) => usage !== undefined);
    // Children that were not waited for take their time with them: never let the sum go back.
    this.#cpuMs = Math.max(
      this.#cpuMs,
      usages.reduce((sum, usage) => sum + usage.cpuMs, 0),
    );
    return {
      cpuMs: this.#cpuMs,
      memoryBytes: usages.reduce((sum, usage) => sum + usage.memoryBytes, 0),
      processes: pids.length,
      ...grouped,
    };
  }
}

function isAlive(pid: number): boolean {
  return startTicks(pid) !== undefined;
}

function signal(target: number, name: 'SIGTERM' | 'SIGKILL'): void {
  assert(Math.abs(target) > 1, 'neither everybody nor our own group is signalled');
  try {
    process.kill(target, name);
  } catch (error) {
    // Gone already, or (EPERM) somebody else's by now: nothing of ours is there.
    if (!['ESRCH', 'EPERM'].includes(errorCode(error) ?? '')) throw error;
  }
}
