import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../run-command.ts';

/** A Node on this host's PATH (not one that npm installed) older than `major`, if there is one. */
export async function findOldNode(major: number): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((folder) => !folder.includes('node_modules'));
  for (const node of folders.map((folder) => path.join(folder, 'node')).filter(isExecutable)) {
    const { exitCode, output } = await runCommand(node, ['--version'], { capture: true });
    const found = Number(/^v(\d+)\./.exec(output)?.[1]);
    if (exitCode === 0 && found < major) return node;
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
