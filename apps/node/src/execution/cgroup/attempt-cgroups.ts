import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { assert, CodedError, errorCode, sleep, type Clock } from '@clawbernetes/kernel';
import { readCounter, readNumber, readPids, removeGroup, subgroups, writeControl } from './cgroup-file.ts';
import { restoreParent, type CgroupParent, type Controller } from './cgroup-parent.ts';
import { limitSettings, type CgroupLimits } from './limit-settings.ts';

export interface CgroupUsage {
  readonly cpuMs?: number;
  readonly memoryBytes?: number;
  readonly memoryPeakBytes?: number;
  readonly throttledMs?: number;
}

/** Processes that live on after this are stuck in the kernel (state D); nothing can end them. */
const KILL_DEADLINE_MS = 10_000;

/**
 * One attempt's groups: one to find and kill its processes, and one for each limit that is in another
 * hierarchy.
 */
export class AttemptCgroups {
  readonly #groups: readonly { readonly parent: CgroupParent; readonly directory: string }[];

  /** @param parents the first is the one that tracks. */
  constructor(parents: readonly CgroupParent[], attemptId: string) {
    assert(/^[a-z0-9][a-z0-9-]*$/.test(attemptId), 'an attempt id is a plain name');
    assert(parents.length > 0, 'an attempt is tracked by a group');
    this.#groups = parents.map((parent) => ({ parent, directory: `${parent.directory}/${attemptId}` }));
  }

  get directories(): readonly string[] {
    return this.#groups.map(({ directory }) => directory);
  }

  get #tracking(): string {
    return this.#groups[0]?.directory ?? '';
  }

  #with(controller: Controller): { readonly directory: string; readonly version: 1 | 2 } | undefined {
    const group = this.#groups.find(({ parent }) => parent.controllers.includes(controller));
    return group && { directory: group.directory, version: group.parent.version };
  }

  /** @throws CodedError `launch-failed`; nothing is left then. */
  create(limits: CgroupLimits): void {
    try {
      for (const { parent, directory } of this.#groups) makeGroup(parent, directory);
      this.#setLimits(limits);
    } catch (error) {
      for (const { directory } of this.#groups) removeGroup(directory);
      throw error;
    }
  }

  #setLimits(limits: CgroupLimits): void {
    for (const { parent, directory } of this.#groups) {
      for (const { controller, file, value, optional } of limitSettings(parent.version, limits)) {
        if (!parent.controllers.includes(controller)) continue;
        const code = writeControl(directory, file, value);
        if (code !== undefined && !(optional && code === 'ENOENT'))
          throw limitRefused(controller, directory, file, code);
      }
    }
  }

  /**
   * Whether the caller itself may enter for the moment of the fork. Version 1 moves a single thread, cheaply.
   * Memory is excluded: the supervisor's own pages would be charged to the workload, and its limit could kill
   * the supervisor.
   */
  get canEnter(): boolean {
    return this.#groups.every(({ parent }) => parent.version === 1 && !parent.controllers.includes('memory'));
  }

  /** Runs `fork` inside the groups, so that its child is born there. Only while `canEnter`. */
  forkInside<T>(fork: () => T): T {
    assert(this.canEnter, 'the groups can be entered');
    const home = this.#groups.map(({ parent }) => openSync(`${parent.own}/tasks`, 'w'));
    try {
      for (const { directory } of this.#groups) writeFileSync(`${directory}/tasks`, '0', { flag: 'r+' });
      return fork();
    } finally {
      // Were this to fail, the supervisor would be killed together with the workload.
      for (const file of home) {
        writeSync(file, '0');
        closeSync(file);
      }
    }
  }

  /** Shell commands by which the shell itself enters. */
  get enterScript(): string {
    const files = this.#groups.map(({ parent, directory }) =>
      parent.version === 1 ? `${directory}/tasks` : `${directory}/cgroup.procs`,
    );
    return files.map((file) => `echo 0 >'${file.replaceAll("'", `'\\''`)}'`).join(' && ');
  }

  pids(): readonly number[] {
    return readPids(this.#tracking);
  }

  /**
   * Sends SIGKILL to everything inside. No new process can escape it: version 2 kills at once, version 1
   * stops forks.
   */
  kill(): void {
    if (writeControl(this.#tracking, 'cgroup.kill', '1') === undefined) return;
    writeControl(this.#tracking, 'pids.max', '0');
    for (const directory of [this.#tracking, ...subgroups(this.#tracking)]) {
      for (const pid of readPids(directory)) killProcess(pid);
    }
  }

  /** Kills until nothing is left; answers how many processes could not be killed. */
  async clear(clock: Clock): Promise<number> {
    const deadline = clock.monotonicMs() + KILL_DEADLINE_MS;
    for (let pauseMs = 1; this.pids().length > 0; pauseMs = Math.min(50, pauseMs * 2)) {
      if (clock.monotonicMs() > deadline) return this.pids().length;
      this.kill();
      await sleep(clock, pauseMs);
    }
    return 0;
  }

  /** Removes the groups, which must be empty. Dying processes may hold one for a moment. */
  async remove(clock: Clock): Promise<boolean> {
    const deadline = clock.monotonicMs() + KILL_DEADLINE_MS;
    for (const { directory } of this.#groups) {
      for (let pauseMs = 1; !removeGroup(directory); pauseMs = Math.min(50, pauseMs * 2)) {
        if (clock.monotonicMs() > deadline) return false;
        await sleep(clock, pauseMs);
      }
    }
    return true;
  }

  /** How many processes the kernel killed because the memory limit was reached. */
  outOfMemoryKills(): number {
    const memory = this.#with('memory');
    if (memory === undefined) return 0;
    return readCounter(
      memory.directory,
      memory.version === 1 ? 'memory.oom_control' : 'memory.events',
      'oom_kill',
    );
  }

  usage(): CgroupUsage {
    return { ...this.#cpuUsage(), ...this.#memoryUsage() };
  }

  #cpuUsage(): CgroupUsage {
    const cpu = this.#with('cpu');
    if (cpu === undefined) return {};
    if (cpu.version === 1) {
      return { throttledMs: readCounter(cpu.directory, 'cpu.stat', 'throttled_time') / 1e6 };
    }
    return {
      cpuMs: readCounter(cpu.directory, 'cpu.stat', 'usage_usec') / 1000,
      throttledMs: readCounter(cpu.directory, 'cpu.stat', 'throttled_usec') / 1000,
    };
  }

  #memoryUsage(): CgroupUsage {
    const memory = this.#with('memory');
    if (memory === undefined) return {};
    const [now, peak] =
      memory.version === 1
        ? ['memory.usage_in_bytes', 'memory.max_usage_in_bytes']
        : ['memory.current', 'memory.peak'];
    const memoryBytes = readNumber(memory.directory, now);
    const memoryPeakBytes = readNumber(memory.directory, peak);
    return {
      ...(memoryBytes !== undefined && { memoryBytes }),
      ...(memoryPeakBytes !== undefined && { memoryPeakBytes }),
    };
  }
}

function limitRefused(controller: Controller, directory: string, file: string, code: string): CodedError {
  return new CodedError(`The ${controller} limit could not be set: ${directory}/${file} answered ${code}.`, {
    code: 'launch-failed',
  });
}

function makeGroup(parent: CgroupParent, directory: string): void {
  try {
    if (tryMakeGroup(directory)) return;
    restoreParent(parent);
    mkdirSync(directory);
  } catch (error) {
    throw new CodedError(`The control group ${directory} could not be made: ${errorCode(error)}.`, {
      code: 'launch-failed',
    });
  }
}

function tryMakeGroup(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function killProcess(pid: number): void {
  assert(pid > 1 && pid !== process.pid, 'only processes of the workload are killed');
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}
