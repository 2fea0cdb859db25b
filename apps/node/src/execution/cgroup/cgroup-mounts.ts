/** A mounted cgroup hierarchy and where this process is in it. */
export interface CgroupMount {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** This process's own group, a folder at or below `mountPoint`. */
  readonly own: string;
  /** Version 1 only: what it controls; a named hierarchy has none. */
  readonly controllers: readonly string[];
}

/**
 * The hierarchies that a process sees, from `/proc/self/mountinfo` and `/proc/self/cgroup` (cgroups(7)). One
 * that is mounted twice is listed once.
 */
export function parseCgroupMounts(mountInfo: string, ownCgroups: string): readonly CgroupMount[] {
  const own = parseOwnPaths(ownCgroups);
  const mounts = new Map<string, CgroupMount>();
  for (const line of mountInfo.split('\n')) {
    const mount = parseMount(line, own);
    if (mount === undefined) continue;
    const { version, controllers, mountPoint } = mount;
    const key = `${version} ${controllers.join() || mountPoint}`;
    if (!mounts.has(key)) mounts.set(key, mount);
  }
  return [...mounts.values()];
}

/** Path by controller list (`cpu,cpuacct`), by `name=…`, or by the empty string for version 2. */
function parseOwnPaths(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers !== undefined && path !== undefined) paths.set(sorted(controllers), path);
  }
  return paths;
}

// proc(5): id parent major:minor root mount-point options [optional…] - type source super-options
const MOUNT = /^\d+ \d+ \S+ (\S+) (\S+) \S+ .*?- (cgroup2?) \S+ (\S+)$/;

function parseMount(line: string, own: ReadonlyMap<string, string>): CgroupMount | undefined {
  const [, root, mountPoint, type, options] = MOUNT.exec(line) ?? [];
  if (root === undefined || mountPoint === undefined || options === undefined) return undefined;
  const version = type === 'cgroup2' ? 2 : 1;
  const [key, path] = version === 2 ? ['', own.get('')] : (find(own, options.split(',')) ?? []);
  if (key === undefined || path === undefined) return undefined;
  const folder = unescape(mountPoint);
  return {
    version,
    mountPoint: folder,
    own: below(folder, unescape(root), path),
    controllers: key === '' || key.startsWith('name=') ? [] : key.split(','),
  };
}

/** The entry of `own` whose controllers are all among the mount's options. */
function find(
  own: ReadonlyMap<string, string>,
  options: readonly string[],
): readonly [string, string] | undefined {
  return [...own].find(([key]) => key !== '' && key.split(',').every((part) => options.includes(part)));
}

/**
 * In a container the mount may show only a part of the hierarchy (`root`); paths above it are out of sight.
 */
function below(mountPoint: string, root: string, path: string): string {
  if (root === '/') return path === '/' ? mountPoint : mountPoint + path;
  if (path === root) return mountPoint;
  return path.startsWith(`${root}/`) ? mountPoint + path.slice(root.length) : mountPoint;
}

function sorted(controllers: string): string {
  return controllers.split(',').toSorted().join();
}

/** mountinfo writes space, tab, newline and backslash as octal. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
