// Shows how labels and taints are written on a command line, and what is said of those that are not.
import { errorMessage } from '@clawbernetes/kernel';
import { describe, expect, test } from 'vitest';
import { labelChange, taintChange } from '../../src/commands/node-changes.ts';

describe('labels', () => {
  test('are set with key=value, also an empty one, and removed with key-', () => {
    expect(labelChange(['rack=r4', 'note=', 'a=b=c', 'tier-', 'x-y-'])).toEqual({
      set: { rack: 'r4', note: '', a: 'b=c' },
      remove: ['tier', 'x-y'],
    });
  });

  test.each(['rack', '=r4', '-', ''])('"%s" is none', (word) => {
    expect(() => labelChange([word])).toThrow(/key=value/);
  });
});

describe('taints', () => {
  test('are added with their effect and removed with a minus', () => {
    const words = ['team=vision:no-schedule', 'spot:prefer-no-schedule', 'old-', 'a-b:no-execute-'];
    expect(taintChange(words)).toEqual({
      add: [
        { key: 'team', value: 'vision', effect: 'no-schedule' },
        { key: 'spot', value: '', effect: 'prefer-no-schedule' },
      ],
      remove: [{ key: 'old' }, { key: 'a-b', effect: 'no-execute' }],
    });
  });

  test.each(['team', 'team=vision', ':no-schedule', ''])('"%s" is none', (word) => {
    expect(() => taintChange([word])).toThrow(/no taint/);
  });

  test('an effect that is nearly one is guessed', () => {
    expect(() => taintChange(['team:no-shedule'])).toThrow(/did you mean no-schedule/);
    try {
      taintChange(['team:xyzzy']);
    } catch (error) {
      expect(errorMessage(error)).toContain('prefer-no-schedule');
    }
    expect.assertions(2);
  });
});
