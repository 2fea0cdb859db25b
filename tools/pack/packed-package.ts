import path from 'node:path';
import { runCommand } from '../run-command.ts';

/** What `npm pack --json` tells of one package; only what is used here. */
export interface PackedPackage {
  readonly name: string;
  readonly version: string;
  /** Of the tarball. */
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** Packs every workspace of `root` into `destination`. The build must be up to date. */
export async function packWorkspaces(root: string, destination: string): Promise<readonly PackedPackage[]> {
  const args = ['pack', '--workspaces', '--json', '--loglevel=error', '--pack-destination', destination];
  const { exitCode, output } = await runCommand('npm', args, { cwd: root, capture: true });
  if (exitCode !== 0) throw new Error(`npm pack failed:\n${output}`);
  return JSON.parse(output.slice(output.indexOf('['))) as readonly PackedPackage[];
}

/** What a packed package holds that it should not, or lacks. */
export function packingFaults({ name, files }: PackedPackage): string[] {
  const paths = files.map((file) => file.path);
  const stray = paths.filter((file) => /^(?:src|test)\/|\.tsbuildinfo$|\.test\.(?:js|d\.ts)$/.test(file));
  const lacking = ['package.json', 'README.md', 'dist/index.js', 'dist/index.d.ts'].filter(
    (file) => !paths.includes(file),
  );
  return [
    ...stray.map((file) => `${name} packs ${file}; list it out in "files"`),
    ...lacking.map((file) => `${name} packs no ${path.posix.normalize(file)}`),
  ];
}
