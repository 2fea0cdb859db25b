import type { Project, Workspace } from '../project.ts';
import type { Rule, Violation } from '../rule.ts';
import { identifierName, isNode, walk, type SourceFile } from '../source-file.ts';

/**
 * Each package has a README.md and one src/index.ts of explicit names; with two error codes of its own or
 * more, a src/errors.ts that lists them.
 */
export const packageFiles: Rule = {
  name: 'package-files',
  check: (project) => [
    ...project.workspaces.flatMap((workspace) => missingFiles(project, workspace)),
    ...project.sources.flatMap(starExports),
  ],
};

function missingFiles(project: Project, { directory }: Workspace): Violation[] {
  const own = project.sources.filter(({ path }) => path.startsWith(`${directory}/src/`));
  const codes = [...new Set(own.flatMap(errorCodes))].toSorted();
  const tested = project.sources.some(({ path }) => path.startsWith(`${directory}/test/`));
  const wanted = ['README.md', 'src/index.ts', ...(codes.length > 1 ? ['src/errors.ts'] : [])];
  // Without it, editors and the typed linter see no types in tests.
  if (tested) wanted.push('test/tsconfig.json');
  return wanted
    .filter((name) => !project.files.has(`${directory}/${name}`))
    .map((name) => ({
      file: `${directory}/${name}`,
      line: 1,
      message: name === 'src/errors.ts' ? `missing: the union of ${codes.join(', ')}` : 'missing',
    }));
}

/** Literal codes of `new CodedError(…, { code })`. */
function errorCodes({ program }: SourceFile): string[] {
  const codes: string[] = [];
  walk(program, (node) => {
    if (node.type !== 'NewExpression' || identifierName(node['callee']) !== 'CodedError') return;
    walk(node, (inner) => {
      const value =
        inner.type === 'Property' && identifierName(inner['key']) === 'code' ? inner['value'] : undefined;
      if (isNode(value) && typeof value['value'] === 'string') codes.push(value['value']);
    });
  });
  return codes;
}

function starExports(source: SourceFile): Violation[] {
  const violations: Violation[] = [];
  walk(source.program, (node) => {
    if (node.type !== 'ExportAllDeclaration') return;
    const line = source.lineAt(node.start);
    violations.push({ file: source.path, line, message: 'export by explicit name instead of *' });
  });
  return violations;
}
