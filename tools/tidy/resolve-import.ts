import path from 'node:path';
import type { Project } from './project.ts';

/** The file of the project that `specifier` in `file` leads to, or undefined for anything outside it. */
export function resolveImport(project: Project, file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(file), specifier);
  return project.workspaces.flatMap(({ entries }) => entries.get(specifier) ?? [])[0];
}
