import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '@clawbernetes/kernel';
import { readControl, readPids, removeGroup, writeControl } from './cgroup-file.ts';
import type { CgroupMount } from './cgroup-mounts.ts';

export const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** A folder of our own in one hierarchy, in which each attempt gets a group. */
export interface CgroupParent {
  readonly version: 1 | 2;
  readonly directory: string;
  /** The group of this process, to which it returns after starting a workload. */
  readonly own: string;
  readonly controllers: readonly Controller[];
}

export interface CgroupRefusal {
  readonly directory: string;
  readonly code: string;
}

/**
 * Makes our folder below the group we are in, so that limits set over us also hold for the workloads. Version
 * 2 allows controllers only below a group without processes, so there the folder may have to lie beside or
 * above.
 */
export function openCgroupParent(mount: CgroupMount, name: string): CgroupParent | CgroupRefusal {
  return mount.version === 1 ? openVersion1(mount, name) : openVersion2(mount, name);
}

function openVersion1(mount: CgroupMount, name: string): CgroupParent | CgroupRefusal {
  const directory = `${mount.own}/${name}`;
  const code = makeFolder(directory);
  if (code !== undefined) return { directory, code };
  const controllers = CONTROLLERS.filter((controller) => mount.controllers.includes(controller));
  return { version: 1, directory, own: mount.own, controllers };
}

function openVersion2(mount: CgroupMount, name: string): CgroupParent | CgroupRefusal {
  let best: CgroupParent | undefined;
  let refusal: CgroupRefusal = { directory: `${mount.own}/${name}`, code: 'EACCES' };
  for (const base of unifiedBases(mount)) {
    const directory = `${base}/${name}`;
    const code = makeFolder(directory);
    if (code !== undefined) {
      refusal = { directory, code };
      continue;
    }
    const own = enableControllers(base, mount.own, name);
    enableControllers(directory, mount.own, name);
    const controllers = CONTROLLERS.filter((controller) => enabled(directory).includes(controller));
    if (best !== undefined && best.controllers.length >= controllers.length) {
      removeGroup(directory);
      continue;
    }
    if (best !== undefined) removeGroup(best.directory);
    best = { version: 2, directory, own, controllers };
    if (controllers.length === CONTROLLERS.length) break;
  }
  return best ?? refusal;
}

/**
 * Where to try: in our group, beside it (it is delegated to us), at the root (as Docker's cgroupfs driver
 * does).
 */
function unifiedBases(mount: CgroupMount): readonly string[] {
  const beside = mount.own === mount.mountPoint ? mount.own : dirname(mount.own);
  return [...new Set([mount.own, beside, mount.mountPoint])];
}

/** Hands the controllers on to the groups below `base`. Answers the group this process is in afterwards. */
function enableControllers(base: string, own: string, name: string): string {
  const offered = (readControl(base, 'cgroup.controllers') ?? '').split(' ');
  const wanted = CONTROLLERS.filter((controller) => offered.includes(controller));
  const missing = wanted.filter((controller) => !enabled(base).includes(controller));
  if (missing.length === 0) return own;
  const change = missing.map((controller) => `+${controller}`).join(' ');
  if (writeControl(base, 'cgroup.subtree_control', change) !== 'EBUSY' || base !== own) return own;
  return stepAside(own, name, change);
}

/** A group with processes cannot hand controllers on; if we are alone in it, we move into a leaf below. */
function stepAside(own: string, name: string, change: string): string {
  if (readPids(own).some((pid) => pid !== process.pid)) return own;
  const leaf = `${own}/${name}-supervisor`;
  if (makeFolder(leaf) !== undefined || writeControl(leaf, 'cgroup.procs', '0') !== undefined) return own;
  writeControl(own, 'cgroup.subtree_control', change);
  return leaf;
}

function enabled(directory: string): readonly string[] {
  return (readControl(directory, 'cgroup.subtree_control') ?? '').split(' ');
}

/** Makes our folder anew: another supervisor removed it because it was empty. */
export function restoreParent({ version, directory, controllers }: CgroupParent): void {
  makeFolder(directory);
  if (version === 1 || controllers.length === 0) return;
  writeControl(
    directory,
    'cgroup.subtree_control',
    controllers.map((controller) => `+${controller}`).join(' '),
  );
}

function makeFolder(directory: string): string | undefined {
  try {
    mkdirSync(directory);
    return undefined;
  } catch (error) {
    const code = errorCode(error) ?? 'unknown';
    return code === 'EEXIST' ? undefined : code;
  }
}
