import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cliError } from '../errors.ts';

interface Manifest {
  readonly name?: string;
  readonly bin?: Readonly<Record<string, string>>;
}

/** The file that runs the command `bin` of an installed package, found as Node finds packages. */
export function programFile(packageName: string, bin: string): string {
  try {
    let folder = path.dirname(fileURLToPath(import.meta.resolve(packageName)));
    for (; folder !== path.dirname(folder); folder = path.dirname(folder)) {
      const manifestFile = path.join(folder, 'package.json');
      if (!existsSync(manifestFile)) continue;
      const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as Manifest;
      const file = manifest.name === packageName ? manifest.bin?.[bin] : undefined;
      if (file !== undefined) return path.join(folder, file);
    }
  } catch (cause) {
    throw missing(packageName, bin, cause);
  }
  throw missing(packageName, bin);
}

function missing(packageName: string, bin: string, cause?: unknown): Error {
  return cliError(
    'not-started',
    `"${bin}" of ${packageName} is not installed beside this program. In a clone run "npm ci", else install the package.`,
    { cause },
  );
}
