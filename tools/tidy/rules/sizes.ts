import type { Rule, Violation } from '../rule.ts';
import { identifierName, walk, type SourceFile, type SyntaxNode } from '../source-file.ts';

const MAX_FUNCTION_LINES = 70;
const MAX_FILE_LINES = 400;
const MAX_LINE_LENGTH = 110;
/** The address of a source, which cannot be wrapped. */
const LONG_ADDRESS = /https?:\/\/\S{40,}/;
/** A sentence for people in one literal may be longer: whole, it can be searched for. */
const MAX_SENTENCE_LINE_LENGTH = 130;
const SENTENCE = /(['"`]).{50,}\1/;
const FUNCTIONS = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];

/**
 * Functions, files and lines have a size that fits a screen; see the ratchet for what is older than the rule.
 */
export const sizes: Rule = {
  name: 'sizes',
  check: ({ sources }) =>
    sources.flatMap((source) => [...longFunctions(source), ...longFile(source), ...longLines(source)]),
};

function longFunctions(source: SourceFile): Violation[] {
  const violations: Violation[] = [];
  walk(source.program, (node, parent) => {
    if (!FUNCTIONS.includes(node.type) || isSuite(parent)) return;
    const line = source.lineAt(node.start);
    const amount = source.lineAt(node.end) - line + 1;
    if (amount <= MAX_FUNCTION_LINES) return;
    const name = nameOf(node, parent);
    violations.push({
      file: source.path,
      line,
      message: `function ${name} has ${amount} lines; split it (at most ${MAX_FUNCTION_LINES}, aim for 10)`,
      measure: { key: `${source.path} function ${name}`, amount },
    });
  });
  return violations;
}

/** A `describe` of a test is a heading, not a function that someone reads as one. */
function isSuite(parent: SyntaxNode | undefined): boolean {
  if (parent?.type !== 'CallExpression') return false;
  let callee: unknown = parent['callee'];
  while (typeof callee === 'object' && callee !== null) {
    if (identifierName(callee) === 'describe') return true;
    callee = 'callee' in callee ? callee.callee : 'object' in callee ? callee.object : undefined;
  }
  return false;
}

function nameOf(node: SyntaxNode, parent: SyntaxNode | undefined): string {
  return identifierName(node['id']) ?? identifierName(parent?.['key'] ?? parent?.['id']) ?? '(anonymous)';
}

function longFile({ path, lines }: SourceFile): Violation[] {
  const amount = lines.length - 1;
  if (amount <= MAX_FILE_LINES) return [];
  const message = `${amount} lines; split the file (at most ${MAX_FILE_LINES}, aim for 100)`;
  return [{ file: path, line: 1, message, measure: { key: `${path} file`, amount } }];
}

function longLines({ path, lines }: SourceFile): Violation[] {
  return lines.flatMap((text, index) => {
    const limit = SENTENCE.test(text) ? MAX_SENTENCE_LINE_LENGTH : MAX_LINE_LENGTH;
    if (text.length <= limit || LONG_ADDRESS.test(text)) return [];
    const message = `${text.length} characters; wrap the line (at most ${limit})`;
    return [{ file: path, line: index + 1, message }];
  });
}
