import { existsSync, readdirSync, readFileSync, readlinkSync, type Dirent } from 'node:fs';
import path from 'node:path';
import { isAlive } from './program.ts';

const CGROUPS = '/sys/fs/cgroup';
/** Controllers, then groups within groups: deeper than anything that we make. */
const MAX_CGROUP_DEPTH = 8;

/** What a fleet must not leave on the machine: processes, mounts and control groups, in words. */
export function leftovers(folder: string, attemptIds: readonly string[]): string[] {
  return [
    ...processesOf([folder, ...attemptIds]).map(({ pid, command }) => `process ${pid}: ${command}`),
    ...holdersOf(folder).map((pid) => `process ${pid}, which holds files below ${folder}`),
    ...mountsBelow(folder).map((mount) => `mount ${mount}`),
    ...cgroupsOf(attemptIds).map((group) => `control group ${group}`),
  ];
}

/** Living processes whose command line or environment holds one of `marks`. */
export function processesOf(marks: readonly string[]): { readonly pid: number; readonly command: string }[] {
  return otherPids().flatMap((pid) => {
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    const text = command + read(`/proc/${pid}/environ`);
    return marks.some((mark) => text.includes(mark)) && isAlive(Number(pid))
      ? [{ pid: Number(pid), command: command.slice(0, 300) }]
      : [];
  });
}

function otherPids(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
}

/** By open files: a supervisor has given itself a title that hides its command line. */
function holdersOf(folder: string): string[] {
  return otherPids().filter((pid) => filesOf(pid).some((file) => file.startsWith(folder)));
}

function filesOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // ended meanwhile, or somebody else's
  }
}

function mountsBelow(folder: string): string[] {
  const mounts = read('/proc/self/mounts')
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? []);
  return mounts.filter((mount) => mount.startsWith(folder));
}

/** Control groups whose name holds one of `names`. */
export function cgroupsOf(names: readonly string[]): string[] {
  const wanted = names.filter((name) => name !== '');
  return existsSync(CGROUPS) ? search(CGROUPS, wanted, MAX_CGROUP_DEPTH) : [];
}

function search(directory: string, names: readonly string[], depth: number): string[] {
  if (depth === 0) return [];
  return subfolders(directory).flatMap((name) => {
    const group = path.join(directory, name);
    const found = names.some((each) => name.includes(each)) ? [group] : [];
    return [...found, ...search(group, names, depth - 1)];
  });
}

function subfolders(directory: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // removed meanwhile
  }
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // ended meanwhile
  }
}
