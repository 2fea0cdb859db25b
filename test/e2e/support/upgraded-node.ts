import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BINS } from './program.ts';

const app = path.resolve(path.dirname(BINS.node), '..');

/**
 * Makes a copy of the built agent that calls itself `version`, as an upgrade installs one. Answers its
 * program.
 */
export async function upgradedNode(folder: string, version: string): Promise<string> {
  const copy = path.join(folder, `clawnode-${version}`);
  await mkdir(copy);
  for (const part of ['bin', 'dist'])
    await cp(path.join(app, part), path.join(copy, part), { recursive: true });
  const manifest = JSON.parse(await readFile(path.join(app, 'package.json'), 'utf8')) as object;
  await writeFile(path.join(copy, 'package.json'), JSON.stringify({ ...manifest, version }));
  await symlink(path.resolve(app, '..', '..', 'node_modules'), path.join(copy, 'node_modules'));
  return path.join(copy, 'bin', 'clawnode.js');
}
