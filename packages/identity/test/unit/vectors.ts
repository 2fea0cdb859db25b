import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { hex } from '@scure/base';

const FOLDER = path.resolve(import.meta.dirname, '../../../../../shared/vectors/identity');

/** Why the published vectors cannot be used, as part of a test's name; empty if they can. */
export const vectorsAbsent = existsSync(FOLDER)
  ? ''
  : ' [skipped: needs the published vectors in ../shared/vectors/identity]';

export function vectorText(name: string): string {
  return readFileSync(path.join(FOLDER, name), 'utf8');
}

/** The vectors of a file, or what stands for them where they are absent. */
export function readVectors<T>(name: string, none: T): T {
  return vectorsAbsent ? none : (JSON.parse(vectorText(name)) as T);
}

export function bytes(text: string): Uint8Array {
  return hex.decode(text);
}
