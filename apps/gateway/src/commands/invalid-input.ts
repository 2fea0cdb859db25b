import { apiError } from '@clawbernetes/protocol';

const MAX_ISSUES = 20;

/** What the schema library says of a field that is not there, in words for whoever left it out. */
function plain(message: string): string {
  return message.replace(/^Invalid input: expected (\w+), received undefined$/, 'is missing (expected: $1)');
}

/** An `invalid-input` that says what is wrong where. */
export function invalidInput(
  name: string,
  found: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): Error {
  const issues = found
    .slice(0, MAX_ISSUES)
    .map(({ path, message }) => ({ path: path.map(String).join('.'), message: plain(message) }));
  const sentence = issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  return apiError('invalid-input', `The input of ${name} is not valid: ${sentence}.`, { issues });
}
