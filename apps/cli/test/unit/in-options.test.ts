// Shows that what the gateway finds wrong with a specification is told in the options that were typed.
import { errorMessage } from '@clawbernetes/kernel';
import { apiError } from '@clawbernetes/protocol';
import { expect, it } from 'vitest';
import { inOptions } from '../../src/run/in-options.ts';

it.each([
  ['spec.resources.gpus', 'Too big', '--gpus: Too big.'],
  ['spec.env.A B', 'is not a name', '--env (A B): is not a name.'],
  ['spec.mounts.0.source', 'must be an absolute path', '--mount (0.source): must be an absolute path.'],
  ['spec.name', 'must be lower case.', '--name: must be lower case.'],
  ['idempotencyKey', 'Too small', 'idempotencyKey: Too small.'],
])('%s: %s', (path, message, expected) => {
  const error = apiError('invalid-input', 'whatever', { issues: [{ path, message }] });
  expect(errorMessage(inOptions(error))).toBe(expected);
});

it('leaves other errors alone', () => {
  const error = apiError('overloaded', 'later');
  expect(inOptions(error)).toBe(error);
});
