import { workspaceOf, type Project } from '../project.ts';
import { resolveImport } from '../resolve-import.ts';
import type { Rule } from '../rule.ts';

/**
 * Another package is reached through its exports only: no deep specifiers, no relative path out of a package.
 */
export const packageInside: Rule = {
  name: 'package-inside',
  check: (project) =>
    project.sources.flatMap(({ path, imports }) =>
      imports.flatMap(({ specifier, line }) => {
        const message = trespass(project, path, specifier);
        return message ? [{ file: path, line, message }] : [];
      }),
    ),
};

function trespass(project: Project, file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) {
    const target = workspaceOf(project, resolveImport(project, file, specifier) ?? '');
    if (!target || target === workspaceOf(project, file)) return undefined;
    return `"${specifier}" reaches inside ${target.directory}; import "${target.name}"`;
  }
  const owner = project.workspaces.find(({ name }) => specifier.startsWith(`${name}/`));
  if (!owner || owner.entries.has(specifier)) return undefined;
  return `"${owner.name}" does not export "${specifier}"; it offers ${[...owner.entries.keys()].join(', ')}`;
}
