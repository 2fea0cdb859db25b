// npm run complete-lockfile, after `npm install`: adds the packages for other platforms (such as a linter's
// binary for macOS) that npm left out because the registry at hand does not carry them. `npm ci` refuses a
// lockfile without them.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from './run-command.ts';

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface MissingPackage {
  readonly name: string;
  readonly version: string;
  readonly dev: boolean;
}

const file = path.resolve(import.meta.dirname, '..', 'package-lock.json');

/** Optional dependencies with an exact version that no entry of the lockfile stands for. */
function missingPackages({ packages }: Lockfile): MissingPackage[] {
  return Object.entries(packages).flatMap(([location, { optionalDependencies = {}, dev = false }]) =>
    Object.entries(optionalDependencies)
      .filter(([name, version]) => /^\d/.test(version) && !resolves(packages, location, name))
      .map(([name, version]) => ({ name, version, dev })),
  );
}

/** Whether `name` is found from `location` as Node looks for it: nested first, then upwards. */
function resolves(packages: Lockfile['packages'], location: string, name: string): boolean {
  const parts = location.split('/node_modules/');
  const folders = parts.map((_, depth) => parts.slice(0, depth + 1).join('/node_modules/'));
  return ['', ...folders.map((folder) => `${folder}/`)].some(
    (folder) => packages[`${folder}node_modules/${name}`],
  );
}

/**
 * Operating systems, processors and C libraries of a package, from the newest version that the registry
 * carries.
 */
async function platformOf(name: string): Promise<Readonly<Record<string, unknown>>> {
  const args = ['view', name, 'os', 'cpu', 'libc', '--json', '--loglevel=silent'];
  const { output } = await runCommand('npm', args, { capture: true });
  const found = JSON.parse(output || '{}') as Readonly<Record<string, unknown>>;
  const entries = ['os', 'cpu', 'libc']
    .filter((key) => found[key] !== undefined)
    .map((key) => [key, found[key]]);
  if (entries.length === 0) throw new Error(`The registry does not say for which platforms ${name} is.`);
  return Object.fromEntries(entries.map(([key, value]) => [key, [value].flat()])) as Record<string, unknown>;
}

async function main(): Promise<void> {
  const lockfile = JSON.parse(readFileSync(file, 'utf8')) as Lockfile;
  const missing = missingPackages(lockfile);
  const added: [string, LockedPackage][] = [];
  for (const { name, version, dev } of missing) {
    const platform = await platformOf(name);
    added.push([`node_modules/${name}`, { version, ...platform, ...(dev ? { dev } : {}), optional: true }]);
  }
  const packages = Object.fromEntries(
    [...Object.entries(lockfile.packages), ...added].toSorted(([a], [b]) => a.localeCompare(b, 'en')),
  );
  writeFileSync(file, `${JSON.stringify({ ...lockfile, packages }, null, 2)}\n`);
  console.log(`package-lock.json: ${added.length} packages for other platforms added.`);
}

await main();
