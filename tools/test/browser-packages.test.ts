// Shows that who installs a package for browsers installs no database with it, whatever its packages depend
// on.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BROWSER_SAFE } from '../tidy/layer-table.ts';

const root = join(import.meta.dirname, '../..');

/** All that the packages of these nouns bring with them, directly or through packages of this repository. */
function installedWith(nouns: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [...nouns];
  for (const noun of queue) {
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(root, 'packages', noun, 'package.json'), 'utf8'),
    ) as { readonly dependencies?: Readonly<Record<string, string>> };
    for (const name of Object.keys(dependencies)) {
      if (found.has(name)) continue;
      found.add(name);
      if (name.startsWith('@clawbernetes/')) queue.push(name.slice('@clawbernetes/'.length));
    }
  }
  return found;
}

it('brings no database', () => {
  const databases = ['@clawbernetes/storage', 'better-sqlite3', 'kysely', 'pg'];
  expect(databases.filter((name) => installedWith(BROWSER_SAFE).has(name))).toEqual([]);
  expect(databases.filter((name) => !installedWith(['ledger']).has(name))).toEqual([]);
});
