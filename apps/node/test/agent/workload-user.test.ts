// Shows that the user whom workloads run as is found by name or number, and that a slip is named with its
// remedy.
import { describe, expect, test } from 'vitest';
import { parseWorkloadUser, requireMayBecome } from '../../src/config/workload-user.ts';

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nml:x:1001:1002:ML,,,:/home/ml:/bin/sh\n',
  group: 'root:x:0:\nrender:x:105:\nml:x:1002:\n',
};

describe('run_as', () => {
  test.each([
    ['ml', { uid: 1001, gid: 1002 }],
    ['1001', { uid: 1001, gid: 1002 }],
    ['ml:render', { uid: 1001, gid: 105 }],
    ['ml:7', { uid: 1001, gid: 7 }],
    ['4242:4343', { uid: 4242, gid: 4343 }],
    ['root', { uid: 0, gid: 0 }],
  ])('%s is a user', (text, user) => {
    expect(parseWorkloadUser(text, files)).toEqual(user);
  });

  test.each([
    ['nobdy', 'there is no user "nobdy"'],
    ['', 'there is no user ""'],
    ['4242', 'user 4242 has no known group'],
    ['ml:rendr', 'there is no group "rendr"'],
    ['-1:0', 'there is no user "-1"'],
    ['4294967295:0', 'there is no user "4294967295"'],
  ])('"%s" is refused', (text, problem) => {
    expect(() => parseWorkloadUser(text, files)).toThrow(problem);
  });

  test('only root becomes another user', () => {
    expect(() => requireMayBecome({ uid: 1001, gid: 1 }, 1000)).toThrow('Start clawnode as root');
    expect(() => requireMayBecome({ uid: 1001, gid: 1 }, 0)).not.toThrow();
    expect(() => requireMayBecome({ uid: 1000, gid: 1 }, 1000)).not.toThrow();
  });
});
