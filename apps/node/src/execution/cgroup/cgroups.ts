import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errorCode } from '@clawbernetes/kernel';
import { AttemptCgroups } from './attempt-cgroups.ts';
import { readPids, removeGroup, removeOnce, subgroups } from './cgroup-file.ts';
import { parseCgroupMounts, type CgroupMount } from './cgroup-mounts.ts';
import {
  CONTROLLERS,
  openCgroupParent,
  type CgroupParent,
  type CgroupRefusal,
  type Controller,
} from './cgroup-parent.ts';
import type { CgroupLimits } from './limit-settings.ts';

export interface CgroupsOptions {
  /**
   * Name of our folder in each hierarchy: begins with `clawbernetes`, unique among the supervisors of the
   * host.
   */
  readonly name: string;
  /** Default: what the kernel says of this process. */
  readonly mounts?: readonly CgroupMount[];
}

/** How the folders of all supervisors begin. */
const FAMILY = 'clawbernetes';

const LIMIT_WORDS: Record<Controller, string> = {
  memory: 'Memory limits are not enforced',
  cpu: 'CPU limits are not enforced',
  pids: 'The number of processes of a workload is not limited',
};

/** The control groups that this host lets us use. */
export class Cgroups {
  readonly limitations: readonly string[];
  /** Attempts of earlier runs that still had processes when we came. */
  readonly leftovers: readonly string[];
  readonly #name: string;
  readonly #parents: readonly CgroupParent[];
  readonly #tracking: CgroupParent | undefined;

  private constructor(name: string, parents: readonly CgroupParent[], limitations: readonly string[]) {
    this.#name = name;
    this.#parents = parents;
    this.#tracking = parents.find(({ controllers }) => controllers.includes('pids')) ?? parents[0];
    this.limitations = limitations;
    const groups = parents.flatMap(({ directory }) => subgroups(directory));
    this.leftovers = [...new Set(groups.map((path) => basename(path)))];
  }

  /** Looks at the host, makes our folders, and removes groups in them that earlier runs left empty. */
  static open({ name, mounts = ownMounts() }: CgroupsOptions): Cgroups {
    const parents: CgroupParent[] = [];
    const refusals: (CgroupRefusal & { readonly mount: CgroupMount })[] = [];
    for (const mount of useful(mounts)) {
      const opened = openCgroupParent(mount, name);
      if ('code' in opened) refusals.push({ ...opened, mount });
      else if (canEnter(opened)) parents.push(opened);
      else refusals.push({ directory: opened.directory, code: 'EACCES', mount });
    }
    for (const parent of parents) {
      for (const group of subgroups(parent.directory)) removeIfEmpty(group);
      removeAbandoned(parent);
      // Made again with the first attempt that needs it: a node that runs nothing leaves nothing.
      if (parent.version === 1) removeOnce(parent.directory);
    }
    return new Cgroups(name, parents, describeMissing(parents, refusals));
  }

  /** Whether processes are tracked by a group; otherwise they must be searched for. */
  get tracks(): boolean {
    return this.#tracking !== undefined;
  }

  /** Groups for an attempt, not yet made; undefined if the host lets us make none. */
  plan(attemptId: string, limits: CgroupLimits): AttemptCgroups | undefined {
    if (this.#tracking === undefined) return undefined;
    const wanted: Controller[] = [];
    if (limits.memoryBytes !== undefined) wanted.push('memory');
    if (limits.cpuMilli !== undefined) wanted.push('cpu');
    const more = wanted.flatMap((controller) => this.#parentWith(controller) ?? []);
    return new AttemptCgroups([...new Set([this.#tracking, ...more])], attemptId);
  }

  #parentWith(controller: Controller): CgroupParent | undefined {
    return this.#parents.find(({ controllers }) => controllers.includes(controller));
  }

  /**
   * The groups of an attempt of an earlier run, if there are any: below our folders, or where its record says
   * they are, for that run may have been started in other groups than ours.
   */
  adopt(attemptId: string, recorded: readonly string[]): AttemptCgroups | undefined {
    const ending = `/${this.#name}/${attemptId}`;
    const ours = this.#parents.filter(({ directory }) => existsSync(`${directory}/${attemptId}`));
    const known = new Set(ours.map(({ directory }) => directory));
    const others = recorded
      .filter((path) => path.endsWith(ending) && existsSync(path) && !known.has(dirname(path)))
      .map((path) => foreignParent(dirname(path)));
    const parents = [...ours.toSorted((left) => (left === this.#tracking ? -1 : 0)), ...others];
    return parents.length === 0 ? undefined : new AttemptCgroups(parents, attemptId);
  }

  /** Removes our folders, unless an attempt is still in them. */
  close(): void {
    for (const { directory } of this.#parents) {
      if (subgroups(directory).length === 0) removeGroup(directory);
    }
  }
}

function ownMounts(): readonly CgroupMount[] {
  try {
    return parseCgroupMounts(
      readFileSync('/proc/self/mountinfo', 'utf8'),
      readFileSync('/proc/self/cgroup', 'utf8'),
    );
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function foreignParent(directory: string): CgroupParent {
  const version = existsSync(`${directory}/cgroup.controllers`) ? 2 : 1;
  return { version, directory, own: directory, controllers: [] };
}

/** On hybrid hosts version 2 has no controllers of ours, and version 1 tracks as well. */
function useful(mounts: readonly CgroupMount[]): readonly CgroupMount[] {
  const first = mounts.filter(({ controllers }) =>
    CONTROLLERS.some((controller) => controllers.includes(controller)),
  );
  return first.some(({ controllers }) => controllers.includes('pids'))
    ? first
    : [...first, ...mounts.filter(({ version }) => version === 2)];
}

function canEnter({ version, directory, own }: CgroupParent): boolean {
  const files = version === 1 ? [`${directory}/tasks`, `${own}/tasks`] : [`${directory}/cgroup.procs`];
  try {
    for (const file of files) accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function removeIfEmpty(group: string): void {
  if (readPids(group).length === 0) removeGroup(group);
}

/**
 * Folders that killed supervisors left. A living one, if it is idle and has none for a moment, makes it
 * again.
 */
function removeAbandoned({ directory }: CgroupParent): void {
  for (const sibling of subgroups(dirname(directory))) {
    if (sibling !== directory && basename(sibling).startsWith(FAMILY)) removeOnce(sibling);
  }
}

function describeMissing(
  parents: readonly CgroupParent[],
  refusals: readonly (CgroupRefusal & { readonly mount: CgroupMount })[],
): readonly string[] {
  const limitations: string[] = [];
  for (const controller of CONTROLLERS) {
    if (parents.some(({ controllers }) => controllers.includes(controller))) continue;
    const refusal = refusals.find(
      ({ mount }) => mount.version === 2 || mount.controllers.includes(controller),
    );
    limitations.push(`${LIMIT_WORDS[controller]}: ${reason(controller, refusal)}.`);
  }
  if (parents.length === 0) {
    limitations.push(
      'Processes are found by their environment only: ' +
        'one that clears it and leaves its process group may outlive its workload.',
    );
  }
  return limitations;
}

function reason(controller: Controller, refusal: CgroupRefusal | undefined): string {
  if (refusal === undefined) return `this host offers no "${controller}" control group to this user`;
  const { directory, code } = refusal;
  return `${directory} cannot be made (${code}); delegate a control group to this user or run as root`;
}
