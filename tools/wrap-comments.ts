// Part of `npm run format`: wraps comments that pass the line limit, which prettier leaves alone.
// `node tools/wrap-comments.ts [path …]` takes files or folders; all sources by default.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readProject } from './tidy/project.ts';
import { wrapComments } from './tidy/wrap-comments.ts';

const root = path.resolve(import.meta.dirname, '..');
const chosen = process.argv.slice(2).map((name) => path.relative(root, path.resolve(name)));
const sources = readProject(root).sources.filter(
  ({ path: file }) =>
    chosen.length === 0 || chosen.some((part) => file === part || file.startsWith(`${part}/`)),
);

for (const { path: file } of sources) {
  const absolute = path.join(root, file);
  const before = readFileSync(absolute, 'utf8');
  const after = wrapComments(before);
  if (after === before) continue;
  writeFileSync(absolute, after);
  console.log(file);
}
