import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';

/** Why there can be no small disk here; part of a test's name. */
export const smallDiskMissing = ((): string => {
  if (process.getuid?.() !== 0) return 'needs root to mount a small tmpfs: sudo npm test';
  return process.platform === 'linux' ? '' : 'needs Linux to mount a tmpfs';
})();

/** Mounts a disk of its own at a folder, until the test is over. */
export function mountDisk(folder: string, sizeMib: number): { remountReadOnly: () => void } {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', folder]);
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  return { remountReadOnly: () => void execFileSync('mount', ['-o', 'remount,ro', folder]) };
}
