// The project's own rules that neither the compiler nor the linter knows; CONTRIBUTING.md lists them.
// `npm run tidy` reports; `npm run tidy -- --lower` rewrites the ratchet after sizes have shrunk.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readProject } from './tidy/project.ts';
import { judge, type Ratchet } from './tidy/ratchet.ts';
import { RULES } from './tidy/rules.ts';

const root = path.resolve(import.meta.dirname, '..');
const ratchetFile = path.join(import.meta.dirname, 'tidy', 'ratchet.json');

function main(argv: readonly string[]): number {
  const project = readProject(root);
  const ratchet = JSON.parse(readFileSync(ratchetFile, 'utf8')) as Ratchet;
  const findings = RULES.flatMap(({ name, check }) =>
    check(project).map((found) => ({ ...found, rule: name })),
  );
  const { failures, next } = judge(findings, ratchet);
  for (const { file, line, message } of failures) console.log(`${file}:${line}: ${message}`);
  if (argv.includes('--lower')) writeFileSync(ratchetFile, `${JSON.stringify(next, null, 2)}\n`);
  else if (JSON.stringify(next) !== JSON.stringify(ratchet)) {
    console.log('tools/tidy/ratchet.json allows more than is used: lower it with `npm run tidy -- --lower`.');
    return 1;
  }
  console.log(`tidy: ${project.sources.length} sources, ${RULES.length} rules, ${failures.length} findings`);
  return failures.length > 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
