// Shows which workloads are accepted, what is filled in for them, and that each bad input is named by its
// path.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_STOP_GRACE_MS, nameSchema, workloadSpecSchema } from '../../src/index.ts';

test('the least that can be said is filled in', () => {
  expect(workloadSpecSchema.parse({ command: ['true'] })).toEqual({
    command: ['true'],
    env: {},
    resources: { gpus: 0, gpuModels: [], minGpuMemoryMib: 0 },
    sandbox: 'preferred',
    network: 'host',
    mounts: [],
    nodeSelector: {},
    labels: {},
    stopGraceMs: DEFAULT_STOP_GRACE_MS,
  });
  expect(workloadSpecSchema.safeParse({ image: 'busybox' }).success).toBe(true);
});

test('what was accepted once is accepted again, unchanged', () => {
  const input = fc.record(
    {
      command: fc.array(fc.stringMatching(/^[^\0]+$/), { minLength: 1, maxLength: 5 }),
      env: fc.dictionary(fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/), fc.stringMatching(/^[^\0]*$/)),
      name: fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/),
      resources: fc.record({ gpus: fc.nat({ max: 64 }), cpuMilli: fc.integer({ min: 10, max: 1_024_000 }) }),
      timeoutMs: fc.integer({ min: 1, max: 31_536_000_000 }),
    },
    { requiredKeys: ['command'] },
  );
  fc.assert(
    fc.property(input, (given) => {
      const parsed = workloadSpecSchema.parse(given);
      expect(workloadSpecSchema.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
    }),
  );
});

describe('refused', () => {
  test.each([
    ['nothing to run', {}, 'command'],
    ['an empty program', { command: ['', 'x'] }, 'command.0'],
    ['a NUL in an argument', { command: ['a', 'b\0'] }, 'command.1'],
    ['a NUL in the environment', { command: ['a'], env: { A: '\0' } }, 'env.A'],
    ['a name that is none for a variable', { command: ['a'], env: { 'A-B': '1' } }, 'env.A-B'],
    ['a name with capitals', { command: ['a'], name: 'Nightly' }, 'name'],
    ['a relative folder', { command: ['a'], workingDirectory: 'here' }, 'workingDirectory'],
    ['a relative mount', { command: ['a'], mounts: [{ source: 'x', target: '/y' }] }, 'mounts.0.source'],
    ['half a GPU', { command: ['a'], resources: { gpus: 0.5 } }, 'resources.gpus'],
    ['fewer than no GPUs', { command: ['a'], resources: { gpus: -1 } }, 'resources.gpus'],
    ['a mistyped resource', { command: ['a'], resources: { gpu: 1 } }, 'resources'],
    ['a mistyped field', { command: ['a'], evn: {} }, ''],
    ['a time that has gone', { command: ['a'], timeoutMs: 0 }, 'timeoutMs'],
    ['an endless grace', { command: ['a'], stopGraceMs: 3_600_001 }, 'stopGraceMs'],
    ['an unknown sandbox', { command: ['a'], sandbox: 'maybe' }, 'sandbox'],
    ['more arguments than any kernel takes', { command: ['a', 'x'.repeat(131_072)] }, 'command'],
    ['as many bytes in fewer letters', { command: ['a', '界'.repeat(50_000)] }, 'command'],
    [
      'more labels than anybody reads',
      { command: ['a'], labels: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`l${at}`, ''])) },
      'labels',
    ],
    [
      'a specification that no page of the store holds',
      {
        command: ['a'],
        mounts: Array.from({ length: 64 }, () => ({
          source: `/${'s'.repeat(4000)}`,
          target: `/${'t'.repeat(4000)}`,
        })),
      },
      '',
    ],
    ['a text instead of a list', { command: 'echo hi' }, 'command'],
    ['nothing at all', null, ''],
  ])('%s', (_what, input, path) => {
    const { error } = workloadSpecSchema.safeParse(input);
    expect(error?.issues.map((issue) => issue.path.join('.'))).toContain(path);
    for (const { message } of error?.issues ?? []) expect(message).not.toBe('');
  });
});

test('names are DNS labels, so that they are safe in paths, tables and addresses', () => {
  for (const name of ['a', 'gpu-07', '0', 'node.rack-1', 'x'.repeat(63)])
    expect(nameSchema.safeParse(name).success).toBe(true);
  for (const name of ['', '-a', 'a-', '.', 'a_b', 'ä', 'a b', '../x', 'x'.repeat(64), 'a\n'])
    expect(nameSchema.safeParse(name).success).toBe(false);
});

describe('where it may run and what becomes of it', () => {
  const parse = (more: object): ReturnType<typeof workloadSpecSchema.safeParse> =>
    workloadSpecSchema.safeParse({ command: ['true'], ...more });

  test('what is not asked for is not there: a specification of an older version reads the same', () => {
    const spec = workloadSpecSchema.parse({ command: ['true'] });
    const fields = [
      'tolerations',
      'affinity',
      'spread',
      'priority',
      'queue',
      'gang',
      'restart',
      'reschedule',
    ];
    for (const field of fields) expect(spec).not.toHaveProperty(field);
    expect(Object.keys(spec.resources)).not.toContain('gpuMilli');
  });

  test.each([
    [{ tolerations: [{ key: 'team' }, { key: 'a/b', value: '', effect: 'no-execute' }] }],
    [
      {
        affinity: {
          required: [
            { label: 'rack', values: ['a'] },
            { label: 'ssd', operator: 'exists' },
          ],
        },
      },
    ],
    [{ affinity: { preferred: [{ label: 'rack', values: ['a'], weight: 100 }] } }],
    [{ gang: { members: 8, minMembers: 4, topology: { level: 'rack' } }, spread: { by: 'rack' } }],
    [{ restart: { attempts: 3 }, reschedule: { evicted: 'end' }, replace: { attempts: 1 } }],
    [{ onDisconnect: { action: 'stop', afterMs: 60_000 }, exclusive: true, priority: -5, queue: 'a/b' }],
    [{ resources: { gpuMilli: 250 } }],
    [{ resources: { gpus: 2, migProfile: '1g.10gb' } }],
    [{ resources: { gpus: 2, migProfile: '1c.3g.40gb', nvlink: 'preferred' } }],
    [{ resources: { gpus: 2, nvlink: 'required' } }],
  ])('%j is one', (more) => {
    expect(parse(more).success).toBe(true);
  });

  test.each([
    [{ tolerations: Array.from({ length: 33 }, () => ({ key: 'a' })) }, 'tolerations'],
    [{ tolerations: [{ key: '-a' }] }, 'tolerations.0.key'],
    [{ tolerations: [{ key: 'a', effect: 'noSchedule' }] }, 'tolerations.0.effect'],
    [{ affinity: { required: [{ label: 'rack' }] } }, 'affinity.required.0'],
    [
      { affinity: { required: [{ label: 'rack', operator: 'exists', values: ['a'] }] } },
      'affinity.required.0',
    ],
    [{ affinity: { preferred: [{ label: 'a', values: ['b'], weight: 0 }] } }, 'affinity.preferred.0.weight'],
    [{ gang: { members: 2, minMembers: 3 } }, 'gang.minMembers'],
    [{ gang: { members: 5000 } }, 'gang.members'],
    [{ spread: { by: 'rack' } }, 'spread'],
    [{ resources: { gpus: 1, gpuMilli: 500 } }, 'resources.gpuMilli'],
    [{ resources: { gpuMilli: 1000 } }, 'resources.gpuMilli'],
    [{ resources: { migProfile: 'big' } }, 'resources.migProfile'],
    [{ resources: { migProfile: '1g.10gb' } }, 'resources.migProfile'],
    [{ resources: { gpus: 2, migProfile: '1g.10gb', nvlink: 'required' } }, 'resources.nvlink'],
    [{ onDisconnect: { action: 'stop' } }, 'onDisconnect.afterMs'],
    [{ onDisconnect: { afterMs: 5 } }, 'onDisconnect.afterMs'],
    [{ priority: 1001 }, 'priority'],
    [{ queue: 'A B' }, 'queue'],
    [{ restart: {} }, 'restart.attempts'],
  ])('%j is none, at %s', (more, path) => {
    expect(parse(more).error?.issues.map((issue) => issue.path.join('.'))).toContain(path);
  });
});
