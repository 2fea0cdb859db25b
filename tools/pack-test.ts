// Packs every package, installs the tarballs into an empty folder, and uses them there as a user would:
// nothing of this repository is reachable from it. Prints one line per step; the first failure ends it with
// exit code 1.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findOldNode } from './pack/old-node.ts';
import { packingFaults, packWorkspaces, type PackedPackage } from './pack/packed-package.ts';
import { runCommand, type CommandResult } from './run-command.ts';

const root = path.resolve(import.meta.dirname, '..');
/** For one command of the installed packages; the first workload takes a few seconds. */
const COMMAND_TIMEOUT_MS = 120_000;
const BINS = ['clawbernetes', 'clawnode', 'claw-gateway'];

/** What of a root package.json is used here. */
interface RootManifest {
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly engines: { readonly node: string };
}

const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as RootManifest;

function expectThat(condition: boolean, what: string, { output }: Partial<CommandResult> = {}): void {
  if (!condition) throw new Error(`pack test: not so: ${what}${output ? `\n${output}` : ''}`);
  console.log(`ok   ${what}`);
}

/**
 * Installs the tarballs, and the Node that this repository is developed with, into the empty folder `app`.
 */
async function install(app: string, tarballs: string, packages: readonly PackedPackage[]): Promise<void> {
  const dependencies = Object.fromEntries(
    packages.map(({ name, filename }) => [name, `file:${path.join(tarballs, filename)}`]),
  );
  const { optionalDependencies } = manifest;
  const own = { name: 'pack-test', private: true, dependencies, optionalDependencies };
  writeFileSync(path.join(app, 'package.json'), JSON.stringify(own));
  // No install script may be needed: npm is about to stop running them.
  const args = [
    'install',
    '--ignore-scripts',
    '--omit=dev',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const result = await runCommand('npm', args, { cwd: app, capture: true });
  expectThat(result.exitCode === 0, `${packages.length} tarballs install into an empty folder`, result);
}

/** Runs commands in `app` with its own bins first on the path, and state of its own. */
function userOf(app: string): (command: string, ...args: readonly string[]) => Promise<CommandResult> {
  const bin = path.join(app, 'node_modules', '.bin');
  const inherited = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((part) => !part.includes('node_modules'));
  const env = {
    PATH: [bin, ...inherited].join(path.delimiter),
    CLAWBERNETES_HOME: path.join(app, 'state'),
    NODE_OPTIONS: undefined,
  };
  return (command, ...args) =>
    runCommand(command, args, { cwd: app, env, capture: true, timeoutMs: COMMAND_TIMEOUT_MS });
}

async function usePackages(app: string, packages: readonly PackedPackage[]): Promise<void> {
  const run = userOf(app);
  for (const { name } of packages) {
    const result = await run('node', '--input-type=module', '--eval', `await import('${name}')`);
    expectThat(result.exitCode === 0, `import of ${name} resolves`, result);
  }
  const version = packages.find(({ name }) => name === 'clawbernetes')?.version ?? '';
  for (const bin of BINS) {
    const shown = await run(bin, '--version');
    expectThat(
      shown.exitCode === 0 && shown.output.includes(version),
      `${bin} --version says ${version}`,
      shown,
    );
    const help = await run(bin, '--help');
    expectThat(help.exitCode === 0 && help.output.includes(bin), `${bin} --help explains itself`, help);
  }
  const demo = await run('clawbernetes', 'up', '--demo', '--once', '--port', '0');
  expectThat(demo.exitCode === 0, 'clawbernetes up --demo --once runs a workload and ends with 0', demo);
}

/** Under a Node that is too old, each bin must say so instead of failing on syntax. */
async function useOldNode(app: string): Promise<void> {
  const major = Number(/\d+/.exec(manifest.engines.node)?.[0]);
  const node = await findOldNode(major);
  if (node === undefined) {
    console.log(
      `skip guard of the bins [needs a Node older than ${major} on the PATH: apt-get install nodejs]`,
    );
    return;
  }
  for (const bin of BINS) {
    const result = await runCommand(node, [path.join(app, 'node_modules', '.bin', bin)], { capture: true });
    const guarded = result.exitCode === 1 && result.output.includes(`needs Node ${major}`);
    expectThat(
      guarded && !result.output.includes('SyntaxError'),
      `${bin} explains that ${node} is too old`,
      result,
    );
  }
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'clawbernetes-pack-'));
  const app = mkdtempSync(path.join(tmpdir(), 'clawbernetes-app-'));
  try {
    const packages = await packWorkspaces(root, scratch);
    const faults = packages.flatMap(packingFaults);
    expectThat(faults.length === 0, 'packages hold their build and README, no sources', {
      output: faults.join('\n'),
    });
    await install(app, scratch, packages);
    await usePackages(app, packages);
    await useOldNode(app);
  } finally {
    for (const folder of [scratch, app]) rmSync(folder, { recursive: true, force: true });
  }
}

try {
  const build = await runCommand('tsc', ['-b'], { cwd: root });
  if (build.exitCode !== 0) throw new Error('pack test: the build failed');
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
