import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A recorded output; SOURCES.md beside the fixtures says where each comes from. */
export function fixture(path: string): string {
  return readFileSync(fixturePath(path), 'utf8');
}

export function fixturePath(path: string): string {
  return join(import.meta.dirname, 'fixtures', path);
}
