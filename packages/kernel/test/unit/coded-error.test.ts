// Shows that errors carry a code and facts, that their cause is kept, and that any thrown value can be asked
// for both.
import { expect, it } from 'vitest';
import { assert, CodedError, errorCode, errorMessage, present, unreachable } from '@clawbernetes/kernel';

it('carries code, facts and cause', () => {
  const cause = new Error('disk');
  const error = new CodedError(
    'Node gpu-07 is unknown.',
    { code: 'node-unknown', node: 'gpu-07' },
    { cause },
  );
  expect(error).toMatchObject({ code: 'node-unknown', facts: { node: 'gpu-07' }, cause, name: 'CodedError' });
});

it.each([
  [new CodedError('x', { code: 'a' }), 'a'],
  [Object.assign(new Error('full'), { code: 'ENOSPC' }), 'ENOSPC'],
  [{ code: 7 }, undefined],
  [new Error('plain'), undefined],
  ['text', undefined],
  [null, undefined],
])('reads the code of %o', (error, code) => {
  expect(errorCode(error)).toBe(code);
});

it('reads the message of any thrown value', () => {
  expect([errorMessage(new Error('full')), errorMessage('text'), errorMessage(7)]).toEqual([
    'full',
    'text',
    '7',
  ]);
});

it('stops at a broken invariant and names it', () => {
  const broken = expect.objectContaining({
    code: 'assertion-failed',
    message: expect.stringContaining('sum') as string,
  });
  expect(() => assert(false, 'the sum is zero')).toThrow(broken);
  expect(() => present(undefined, 'the sum')).toThrow(broken);
  expect(() => unreachable('sum' as never)).toThrow(broken);
  expect([present(0, 'zero'), present('', 'empty')]).toEqual([0, '']);
});
