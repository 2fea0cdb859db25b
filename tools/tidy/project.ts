import { globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseSource, type SourceFile } from './source-file.ts';

/** A package or an app of the repository. */
export interface Workspace {
  /** Such as `packages/kernel`. */
  readonly directory: string;
  /** Such as `kernel`: the last part of the directory, which the layer table speaks of. */
  readonly noun: string;
  /** The name in package.json. */
  readonly name: string;
  readonly dependencies: readonly string[];
  /** Import specifiers that the package offers: its name, and its name with a subpath. */
  readonly entries: ReadonlyMap<string, string>;
}

/** Everything the rules look at: a pure value, so that a rule can be tested on samples. */
export interface Project {
  /** Text files by path from the root, with forward slashes. */
  readonly files: ReadonlyMap<string, string>;
  readonly workspaces: readonly Workspace[];
  readonly sources: readonly SourceFile[];
}

const SKIPPED = /(?:^|\/)(?:node_modules|dist|coverage|\.git|\.clawbernetes|generated|fixtures)(?:\/|$)/;
const TEXT = /\.(?:ts|tsx|js|json|md|sh|proto|yaml|yml|toml|sql|css|html)$|^\.ci\/|(?:^|\/)\.[a-z-]+rc?$/;
const SOURCE = /\.(?:ts|tsx|js)$/;

/** Reads the repository at `root`, leaving out what is installed, built, generated or recorded elsewhere. */
export function readProject(root: string): Project {
  const names = globSync(['*', '.*', '.ci/*', '{apps,packages,test,tools}/**/*'], {
    cwd: root,
    exclude: (name) => SKIPPED.test(name),
  })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => TEXT.test(name) && statSync(path.join(root, name)).isFile());
  return parseProject(
    new Map(names.toSorted().map((name) => [name, readFileSync(path.join(root, name), 'utf8')])),
  );
}

export function parseProject(files: ReadonlyMap<string, string>): Project {
  return {
    files,
    workspaces: [...files].flatMap(([name, text]) => parseWorkspace(name, text)),
    sources: [...files].filter(([name]) => SOURCE.test(name)).map(([name, text]) => parseSource(name, text)),
  };
}

/** The workspace that holds `file`, if any does. */
export function workspaceOf(project: Project, file: string): Workspace | undefined {
  return project.workspaces.find(({ directory }) => file.startsWith(`${directory}/`));
}

interface Manifest {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, { readonly '@clawbernetes/source'?: string }>>;
}

function parseWorkspace(file: string, text: string): Workspace[] {
  const [, directory, noun] = /^((?:packages|apps)\/([^/]+))\/package\.json$/.exec(file) ?? [];
  if (directory === undefined || noun === undefined) return [];
  const manifest = JSON.parse(text) as Manifest;
  const name = manifest.name ?? directory;
  const entries = Object.entries(manifest.exports ?? {}).map(([key, target]): [string, string] => [
    name + key.slice(1),
    path.posix.join(directory, target['@clawbernetes/source'] ?? ''),
  ]);
  const dependencies = Object.keys(manifest.dependencies ?? {});
  return [{ directory, noun, name, dependencies, entries: new Map(entries) }];
}
