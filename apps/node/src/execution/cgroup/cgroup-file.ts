import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '@clawbernetes/kernel';

/** The text of a control file, or undefined if the kernel does not offer it or the group is gone. */
export function readControl(directory: string, file: string): string | undefined {
  try {
    return readFileSync(`${directory}/${file}`, 'latin1').trim();
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'EOPNOTSUPP', 'EACCES'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** Writes a control file; answers the error code if the kernel refuses. It never creates a file. */
export function writeControl(directory: string, file: string, value: string): string | undefined {
  try {
    writeFileSync(`${directory}/${file}`, value, { flag: 'r+' });
    return undefined;
  } catch (error) {
    return errorCode(error) ?? 'unknown';
  }
}

/** The number behind `key` in a file of `key value` lines, 0 if there is none. */
export function readCounter(directory: string, file: string, key: string): number {
  const text = readControl(directory, file) ?? '';
  for (const line of text.split('\n'))
    if (line.startsWith(`${key} `)) return Number(line.slice(key.length + 1));
  return 0;
}

export function readNumber(directory: string, file: string): number | undefined {
  const text = readControl(directory, file);
  const value = Number(text);
  return text === undefined || text === '' || Number.isNaN(value) ? undefined : value;
}

export function readPids(directory: string): number[] {
  const text = readControl(directory, 'cgroup.procs') ?? '';
  return text === '' ? [] : text.split('\n').map(Number);
}

/** Removes an empty group with its subgroups; answers false while something is in it. */
export function removeGroup(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    return removeSubgroups(directory) && removeOnce(directory);
  }
}

export function subgroups(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  } catch {
    return [];
  }
}

// Workloads cannot reach the control files of a sandbox; a bare one may have nested a level or two.
function removeSubgroups(directory: string): boolean {
  const children = subgroups(directory);
  return children.length > 0 && children.every((child) => removeOnce(child));
}

/** Removes a group if nothing is in or below it. */
export function removeOnce(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return errorCode(error) === 'ENOENT';
  }
}
