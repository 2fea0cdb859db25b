import path from 'node:path';
import type { Rule, Violation } from '../rule.ts';
import { identifierName, walk, type SourceFile } from '../source-file.ts';

const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)*$/;
const EMPTY_FOLDERS = /(?:^|[/-])(?:utils?|helpers?|shared|commons?|misc|lib)(?:[/.-]|$)/;
const EMPTY_NAMES = /(?:Manager|Impl|Helpers?|Utils?)$/;
const HUNGARIAN = /^I[A-Z][a-z]/;
const DECLARATIONS = ['ClassDeclaration', 'TSInterfaceDeclaration', 'TSTypeAliasDeclaration'];

/** Files are kebab-case, and names say a concept rather than hide that none was found. */
export const names: Rule = {
  name: 'names',
  check: ({ sources }) => sources.flatMap((source) => [...fileName(source), ...declaredNames(source)]),
};

function fileName({ path: file }: SourceFile): Violation[] {
  if (!KEBAB.test(path.posix.basename(file))) {
    return [{ file, line: 1, message: 'name the file in kebab-case after its main export' }];
  }
  if (!EMPTY_FOLDERS.test(file)) return [];
  return [
    { file, line: 1, message: 'name the concept: "util", "helpers", "shared" and the like say nothing' },
  ];
}

function declaredNames(source: SourceFile): Violation[] {
  const violations: Violation[] = [];
  walk(source.program, (node) => {
    const name = DECLARATIONS.includes(node.type) ? identifierName(node['id']) : undefined;
    if (name === undefined) return;
    const line = source.lineAt(node.start);
    if (EMPTY_NAMES.test(name)) {
      violations.push({
        file: source.path,
        line,
        message: `"${name}": name what it does, not that it is a thing`,
      });
    }
    if (node.type === 'TSInterfaceDeclaration' && HUNGARIAN.test(name)) {
      violations.push({
        file: source.path,
        line,
        message: `"${name}": the port takes the noun, without an I`,
      });
    }
  });
  return violations;
}
