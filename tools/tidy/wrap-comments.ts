/** Lines of comments longer than this are wrapped, as prettier does with code. */
const MAX_LINE_LENGTH = 110;

/** A line of prose in a comment; lists, tables and whatever is indented are left as they stand. */
const PROSE = /^(\s*)(\/\/|\*) (?![\s@|-]|\d+\. )(\S.*)$/;
const ONE_LINE = /^(\s*)\/\*\* (\S.*\S) \*\/$/;

/** `source` with every comment paragraph that has a line over the limit wrapped anew. Code stays as it is. */
export function wrapComments(source: string): string {
  const lines = source.split('\n');
  const wrapped: string[] = [];
  for (let index = 0; index < lines.length;) {
    const paragraph = paragraphAt(lines, index);
    wrapped.push(...wrapParagraph(paragraph));
    index += paragraph.length;
  }
  return wrapped.join('\n');
}

/** The run of prose lines with one margin that begins at `index`, or the one line there. */
function paragraphAt(lines: readonly string[], index: number): readonly string[] {
  const margin = marginOf(lines[index] ?? '');
  if (margin === undefined) return lines.slice(index, index + 1);
  const end = lines.findIndex((line, at) => at > index && marginOf(line) !== margin);
  return lines.slice(index, end < 0 ? lines.length : end);
}

function marginOf(line: string): string | undefined {
  const [, indent, mark] = line.endsWith('*/') ? [] : (PROSE.exec(line) ?? []);
  return indent === undefined || mark === undefined ? undefined : `${indent}${mark} `;
}

function wrapParagraph(paragraph: readonly string[]): readonly string[] {
  const [first = ''] = paragraph;
  if (paragraph.every((line) => line.length <= MAX_LINE_LENGTH)) return paragraph;
  const margin = marginOf(first);
  if (margin !== undefined) return fill(paragraph.map((line) => line.slice(margin.length)).join(' '), margin);
  const [, indent, text] = ONE_LINE.exec(first) ?? [];
  if (indent === undefined || text === undefined) return paragraph;
  return [`${indent}/**`, ...fill(text, `${indent} * `), `${indent} */`];
}

function fill(text: string, margin: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && margin.length + line.length + 1 + word.length > MAX_LINE_LENGTH) {
      lines.push(margin + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, margin + line];
}
