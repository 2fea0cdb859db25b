import { workspaceOf, type Project, type Workspace } from '../project.ts';
import { resolveImport } from '../resolve-import.ts';
import type { Rule, Violation } from '../rule.ts';
import { allowedImports, BROWSER_SAFE } from '../layer-table.ts';

/** Packages import downwards only, apps import no app, and browser packages nothing of Node. */
export const layers: Rule = {
  name: 'layers',
  check: (project) => [...unknownPackages(project), ...manifestEdges(project), ...sourceEdges(project)],
};

function unknownPackages({ workspaces }: Project): Violation[] {
  return workspaces
    .filter(({ directory, noun }) => directory.startsWith('packages/') && !allowedImports(noun))
    .map(({ directory, noun }) => ({
      file: `${directory}/package.json`,
      line: 1,
      message: `package "${noun}" is in no layer; add it to tools/tidy/layer-table.ts and to ARCHITECTURE.md`,
    }));
}

function manifestEdges(project: Project): Violation[] {
  return project.workspaces
    .filter(({ directory }) => directory.startsWith('packages/'))
    .flatMap((from) =>
      from.dependencies.flatMap((name) => {
        const to = project.workspaces.find((workspace) => workspace.name === name);
        const message = to && forbiddenEdge(from, to);
        return message ? [{ file: `${from.directory}/package.json`, line: 1, message }] : [];
      }),
    );
}

function sourceEdges(project: Project): Violation[] {
  return project.sources.flatMap(({ path, imports }) => {
    const from = workspaceOf(project, path);
    if (!from) return [];
    const inSource = path.startsWith(`${from.directory}/src/`);
    const nodeFolder = `${from.directory}/src/node/`;
    const browser = BROWSER_SAFE.includes(from.noun) && inSource && !path.startsWith(nodeFolder);
    return imports.flatMap(({ specifier, line }) => {
      const ofNode =
        specifier.startsWith('node:') || resolveImport(project, path, specifier)?.startsWith(nodeFolder);
      if (browser && ofNode) {
        const message = `"${from.noun}" runs in browsers; take what ${specifier} gives from deps`;
        return [{ file: path, line, message }];
      }
      const to = project.workspaces.find(
        ({ name }) => specifier === name || specifier.startsWith(`${name}/`),
      );
      const message = to && (inSource || from !== to) ? forbiddenEdge(from, to) : undefined;
      return message ? [{ file: path, line, message }] : [];
    });
  });
}

function forbiddenEdge(from: Workspace, to: Workspace): string | undefined {
  if (from === to) return `import "${to.noun}" by a relative path inside it`;
  if (to.directory.startsWith('apps/')) {
    return `nothing imports an app; move what "${from.noun}" needs of "${to.noun}" into a package`;
  }
  if (from.directory.startsWith('apps/') || allowedImports(from.noun)?.includes(to.noun)) return undefined;
  return `"${from.noun}" may not import "${to.noun}"; they meet in apps/gateway/src/flows, or by a port`;
}
