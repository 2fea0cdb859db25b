// Shows how control groups are found on hosts of every kind, what is said when one is missing, and what
// version 2 is told.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttemptCgroups } from '../../src/execution/cgroup/attempt-cgroups.ts';
import { Cgroups } from '../../src/execution/cgroup/cgroups.ts';
import { parseCgroupMounts } from '../../src/execution/cgroup/cgroup-mounts.ts';
import { openCgroupParent } from '../../src/execution/cgroup/cgroup-parent.ts';
import { limitSettings, type CgroupLimits } from '../../src/execution/cgroup/limit-settings.ts';

describe('mounts', () => {
  it('of a systemd host with version 2 only', () => {
    const mountInfo =
      '24 29 0:22 / /proc rw,nosuid - proc proc rw\n' +
      '35 24 0:30 / /sys/fs/cgroup rw,nosuid,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n';
    expect(parseCgroupMounts(mountInfo, '0::/user.slice/user-1000.slice/session-2.scope\n')).toEqual([
      {
        version: 2,
        mountPoint: '/sys/fs/cgroup',
        own: '/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope',
        controllers: [],
      },
    ]);
  });

  it('of a hybrid host: one hierarchy per controller, pairs, names and version 2 beside them', () => {
    const mountInfo =
      '30 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n' +
      '31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpuacct,cpu\n' +
      '32 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n' +
      '33 25 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n';
    const own = '5:memory:/a/b\n4:cpu,cpuacct:/\n1:name=systemd:/x\n0::/\n';
    const mounts = parseCgroupMounts(mountInfo, own);
    expect(mounts.map((mount) => [mount.version, mount.own, mount.controllers.join()])).toEqual([
      [2, '/sys/fs/cgroup/unified', ''],
      [1, '/sys/fs/cgroup/cpu,cpuacct', 'cpu,cpuacct'],
      [1, '/sys/fs/cgroup/memory/a/b', 'memory'],
      [1, '/sys/fs/cgroup/systemd/x', ''],
    ]);
  });

  it('in a container that sees only its part, and with odd characters', () => {
    const mountInfo = '9 8 0:28 /docker/abc /sys/fs/my\\040cgroup/pids ro - cgroup cgroup rw,pids\n';
    expect(parseCgroupMounts(mountInfo, '7:pids:/docker/abc/deep\n')).toMatchObject([
      { own: '/sys/fs/my cgroup/pids/deep' },
    ]);
  });

  it('of garbage are none', () => {
    expect(parseCgroupMounts('not a mount\n\n1 2 3\n', 'neither\n')).toEqual([]);
  });
});

// A plain folder stands in for version 2: what is written is then what the kernel would be told.
describe('version 2', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'clawbernetes-cgroup-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const group = (path: string, files: Record<string, string>): void => {
    mkdirSync(path, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  };
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const mount = (own: string) =>
    ({ version: 2, mountPoint: root, own: join(root, own), controllers: [] }) as const;
  const all = 'cpuset cpu io memory hugetlb pids';

  it('hands its controllers on to our folder', () => {
    group(root, { 'cgroup.controllers': all, 'cgroup.subtree_control': '', 'cgroup.procs': '' });
    openCgroupParent(mount(''), 'claw');
    expect(read('cgroup.subtree_control')).toBe('+memory +cpu +pids');
    expect(existsSync(join(root, 'claw'))).toBe(true);
  });

  it('uses the group beside ours if only that has controllers', () => {
    const enabled = { 'cgroup.controllers': all, 'cgroup.subtree_control': 'cpu memory pids' };
    group(join(root, 'service'), enabled);
    group(join(root, 'service/agent'), { 'cgroup.controllers': '', 'cgroup.subtree_control': '' });
    group(join(root, 'service/claw'), enabled);
    const parent = openCgroupParent(mount('service/agent'), 'claw');
    expect(parent).toMatchObject({
      directory: join(root, 'service/claw'),
      controllers: ['memory', 'cpu', 'pids'],
    });
    expect(existsSync(join(root, 'service/agent/claw'))).toBe(false);
  });

  it('is read in its own words', () => {
    const parent = {
      version: 2,
      directory: root,
      own: root,
      controllers: ['memory', 'cpu', 'pids'],
    } as const;
    group(join(root, 'attempt-1'), {
      'cpu.stat': 'usage_usec 1500000\nuser_usec 1\nnr_throttled 3\nthrottled_usec 250000\n',
      'memory.current': '4096\n',
      'memory.peak': '8192\n',
      'memory.events': 'low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\n',
      'cgroup.procs': '17\n18\n',
    });
    const cgroups = new AttemptCgroups([parent], 'attempt-1');
    expect(cgroups.usage()).toEqual({
      cpuMs: 1500,
      throttledMs: 250,
      memoryBytes: 4096,
      memoryPeakBytes: 8192,
    });
    expect(cgroups.outOfMemoryKills()).toBe(2);
    expect(cgroups.pids()).toEqual([17, 18]);
    expect(cgroups.canEnter).toBe(false);
    expect(cgroups.enterScript).toBe(`echo 0 >'${root}/attempt-1/cgroup.procs'`);
  });
});

describe('limits', () => {
  const limits = { processes: 100, cpuMilli: 1500, memoryBytes: 33_554_432 };
  const written = (version: 1 | 2, asked: CgroupLimits): Record<string, string> =>
    Object.fromEntries(limitSettings(version, asked).map(({ file, value }) => [file, value]));

  it('are told to version 1 and 2 in their own words; memory includes swap', () => {
    expect(written(1, limits)).toEqual({
      'pids.max': '100',
      'cpu.cfs_quota_us': '150000',
      'memory.limit_in_bytes': '33554432',
      'memory.memsw.limit_in_bytes': '33554432',
    });
    expect(written(2, limits)).toEqual({
      'pids.max': '100',
      'cpu.max': '150000 100000',
      'memory.max': '33554432',
      'memory.swap.max': '0',
    });
  });

  it('are at least what the kernel accepts, and only those that were asked for', () => {
    expect(written(2, { processes: 1, cpuMilli: 1 })).toEqual({ 'pids.max': '1', 'cpu.max': '1000 100000' });
  });

  it('that cannot be set are an error that names the file, and leave no group behind', () => {
    const root = mkdtempSync(join(tmpdir(), 'clawbernetes-cgroup-'));
    const parent = { version: 2, directory: root, own: root, controllers: ['pids'] } as const;
    const cgroups = new AttemptCgroups([parent], 'attempt-1');
    expect(() => cgroups.create(limits)).toThrow(`${root}/attempt-1/pids.max answered ENOENT`);
    expect(existsSync(join(root, 'attempt-1'))).toBe(false);
    rmSync(root, { recursive: true });
  });
});

describe('groups of an earlier run', () => {
  it('are found where its record says, if they carry our name', () => {
    const root = mkdtempSync(join(tmpdir(), 'clawbernetes-cgroup-'));
    const ours = join(root, 'elsewhere/clawbernetes-x/attempt-1');
    const foreign = join(root, 'elsewhere/other/attempt-1');
    for (const path of [ours, foreign]) mkdirSync(path, { recursive: true });
    const cgroups = Cgroups.open({ name: 'clawbernetes-x', mounts: [] });
    expect(cgroups.adopt('attempt-1', [ours, foreign])?.directories).toEqual([ours]);
    expect(cgroups.adopt('attempt-2', [ours, foreign])).toBeUndefined();
    rmSync(root, { recursive: true });
  });
});

describe('what is missing', () => {
  it('is said in words when the host has no control groups', () => {
    const { limitations } = Cgroups.open({ name: 'claw', mounts: [] });
    expect(limitations).toHaveLength(4);
    expect(limitations.join('\n')).toMatch(/Memory limits are not enforced[^]*CPU limits[^]*may outlive/);
  });

  it.skipIf(process.getuid?.() === 0)(
    'is said in words when they may not be written [skipped as root]',
    () => {
      const root = mkdtempSync(join(tmpdir(), 'clawbernetes-cgroup-'));
      chmodSync(root, 0o500);
      const mounts = [{ version: 1, mountPoint: root, own: root, controllers: ['memory'] }] as const;
      const { limitations } = Cgroups.open({ name: 'claw', mounts });
      expect(limitations.join()).toContain('cannot be made (EACCES)');
      rmSync(root, { recursive: true });
    },
  );

  it('never takes an attempt id for a path', () => {
    const parent = { version: 1, directory: '/tmp', own: '/tmp', controllers: [] } as const;
    expect(() => new AttemptCgroups([parent], '../escape')).toThrow('plain name');
  });
});
