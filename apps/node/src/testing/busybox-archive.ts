import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const BUSYBOX = '/usr/bin/busybox';

/**
 * A root file system of the host's static busybox alone, as a tar file to import: no registry is needed.
 * Needs root.
 */
export async function busyboxArchive(folder: string): Promise<string> {
  const root = join(folder, 'rootfs');
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'root', 'tmp', 'usr/bin', 'work']) {
    await mkdir(join(root, name), { recursive: true });
  }
  await chmod(join(root, 'tmp'), 0o1777);
  await cp(BUSYBOX, join(root, 'bin/busybox'));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await run('chroot', [root, '/bin/busybox', '--install', '-s', '/bin']);
  const archive = join(folder, 'rootfs.tar');
  await run('tar', ['-C', root, '-cf', archive, '.']);
  await rm(root, { recursive: true });
  return archive;
}
