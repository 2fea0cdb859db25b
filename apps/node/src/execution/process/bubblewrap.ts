import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { CodedError, errorCode, errorMessage } from '@clawbernetes/kernel';
import type { WorkloadSpec } from '@clawbernetes/protocol';
import type { AttemptFolder, Owner } from './attempt-folder.ts';

/** For the first sandbox; it takes a few ms. */
const PROBE_DEADLINE_MS = 10_000;
const BWRAP = '/usr/bin/bwrap';
/** Where a workload without a working directory of its own finds itself; also its HOME. */
export const SANDBOX_HOME = '/workload';

/**
 * Runs the workload and reports on descriptor 3. Bubblewrap turns a death by signal n into exit code 128 + n;
 * a shell also prints the signal's name, which tells the two apart (save for SIGINT and SIGPIPE, which shells
 * keep quiet about). "run" shows that the sandbox stood. Caught signals are reset in the child, so only the
 * shell outlives them.
 */
const REPORTER = `trap : HUP INT QUIT TERM
echo run >&3
exec 4>&2 2>&3
(command -v "$1" >/dev/null || { echo not found >&3; exit 127; }
exec "$@" 2>&4 3>&- 4>&-)
echo $? >&3`;

/** Bubblewrap reads the environment here: its command line is for every user of the host to see. */
const ENVIRONMENT_DESCRIPTOR = '4';

/** Shown read-only at the same place, if the host has them. */
const SYSTEM_FOLDERS = ['/usr', '/etc', '/opt', '/nix', '/sys'];
const SYSTEM_LINKS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Where /etc/resolv.conf may point to. */
const RESOLVER_FOLDERS = ['/run/systemd/resolve', '/run/resolvconf', '/run/NetworkManager'];
/** What root owns it may read even without capabilities; no workload needs these. */
const SECRET_FILES = ['/etc/shadow', '/etc/shadow-', '/etc/gshadow', '/etc/gshadow-'];
const SECRET_FOLDERS = ['/etc/ssh', '/etc/ssl/private'];
const OWN_FOLDERS = ['/proc', '/dev', '/tmp', '/run', SANDBOX_HOME];

export interface BubblewrapOptions {
  /** Runs workloads as this user; absent = as the supervisor's own. */
  readonly owner?: Owner;
  /** Folders that no workload may see, such as the one with the node's keys. */
  readonly hidden: readonly string[];
}

export interface SandboxRequest {
  readonly spec: WorkloadSpec;
  readonly folder: AttemptFolder;
  readonly devicePaths: readonly string[];
  /** Program and arguments. */
  readonly command: readonly string[];
}

interface Bind {
  readonly option: '--bind' | '--ro-bind';
  readonly source: string;
  readonly target: string;
}

/** What the sandbox is to read on descriptor 4. */
export function environmentArguments(env: Readonly<Record<string, string>>): Buffer {
  const list = Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value]);
  return Buffer.from(list.map((text) => `${text}\0`).join(''));
}

/** Builds command lines for bubblewrap (bwrap(1)). */
export class Bubblewrap {
  readonly program = BWRAP;
  readonly #fixed: readonly string[];
  readonly #hidden: readonly string[];
  readonly #systemBinds: readonly Bind[];

  private constructor(fixed: readonly string[], hidden: readonly string[], system: readonly string[]) {
    this.#fixed = fixed;
    this.#hidden = hidden;
    this.#systemBinds = system.map((path) => ({ option: '--ro-bind', source: path, target: path }));
  }

  /** Tries a sandbox on this host; answers in words why there can be none. */
  static async open({ owner, hidden }: BubblewrapOptions): Promise<Bubblewrap | string> {
    const folders = SYSTEM_FOLDERS.filter((folder) => existsSync(folder));
    const links = SYSTEM_LINKS.filter((link) => existsSync(link));
    const isRoot = (owner?.uid ?? process.getuid?.()) === 0;
    const fixed = [...NAMESPACES, ...systemArguments(folders, links), ...(isRoot ? rootArguments() : [])];
    try {
      const options = {
        env: {},
        cwd: '/',
        timeout: PROBE_DEADLINE_MS,
        killSignal: 'SIGKILL',
        ...owner,
      } as const;
      await promisify(execFile)(BWRAP, [...fixed, '--', '/bin/sh', '-c', ':'], options);
    } catch (error) {
      return explain(error);
    }
    const hiddenHere = hidden.filter((path) => existsSync(path)).map((path) => realpathSync(path));
    return new Bubblewrap(fixed, hiddenHere, [...folders, ...links]);
  }

  arguments({ spec, folder, devicePaths, command }: SandboxRequest): string[] {
    const list = [...this.#fixed, '--bind', folder.tmp, '/tmp', '--bind', folder.work, SANDBOX_HOME];
    if (spec.network === 'none') list.push('--unshare-net');
    for (const path of devicePaths) list.push('--dev-bind-try', path, path);
    const binds = [...this.#systemBinds, ...this.#bindsOf(spec)];
    for (const { option, source, target } of binds.slice(this.#systemBinds.length))
      list.push(option, source, target);
    for (const { source, target } of binds) {
      for (const path of this.#hidden) {
        if (isBelow(path, source))
          list.push('--tmpfs', target + path.slice(source === '/' ? 0 : source.length));
      }
    }
    list.push('--remount-ro', '/', '--chdir', spec.workingDirectory ?? SANDBOX_HOME);
    list.push('--args', ENVIRONMENT_DESCRIPTOR, '--', '/bin/sh', '-c', REPORTER, 'sh', ...command);
    return list;
  }

  /** @throws CodedError `launch-failed` for a folder that is not there or not for workloads. */
  #bindsOf({ workingDirectory, mounts }: WorkloadSpec): readonly Bind[] {
    const binds: Bind[] = [];
    // Read-write: the permissions of the workload's user decide what it may change there.
    if (workingDirectory !== undefined && this.#needsBind(workingDirectory, mounts)) {
      const source = this.#realSource(workingDirectory);
      binds.push({ option: '--bind', source, target: workingDirectory });
    }
    for (const { source, target, readOnly } of mounts) {
      binds.push({ option: readOnly ? '--ro-bind' : '--bind', source: this.#realSource(source), target });
    }
    return binds;
  }

  /** Without symbolic links, which could lead around what is hidden. */
  #realSource(source: string): string {
    let real: string;
    try {
      real = realpathSync(source);
    } catch (error) {
      throw new CodedError(`${source} cannot be shown to the workload: ${errorCode(error)} on this node.`, {
        code: 'launch-failed',
      });
    }
    if (!this.#hidden.some((path) => isBelow(real, path))) return real;
    throw new CodedError(`${source} belongs to the node itself and is not shown to workloads.`, {
      code: 'launch-failed',
    });
  }

  /** Whether a path means the same file inside as outside. */
  isShared(path: string, { workingDirectory, mounts }: WorkloadSpec): boolean {
    if (mounts.some(({ target }) => isBelow(path, target))) return false;
    const isProject = workingDirectory !== undefined && this.#needsBind(workingDirectory, mounts);
    if (isProject && isBelow(path, workingDirectory)) return true;
    return this.#systemBinds.some(({ target }) => isBelow(path, target));
  }

  #needsBind(directory: string, mounts: WorkloadSpec['mounts']): boolean {
    if (directory === '/' || OWN_FOLDERS.includes(directory)) return false;
    if (mounts.some(({ target }) => isBelow(directory, target))) return false;
    const elsewhere = [...this.#systemBinds.map(({ target }) => target), '/proc', '/dev', SANDBOX_HOME];
    return !elsewhere.some((folder) => isBelow(directory, folder));
  }
}

const NAMESPACES = [
  '--unshare-pid',
  '--unshare-ipc',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--die-with-parent',
  '--new-session',
  '--cap-drop',
  'ALL',
];

function systemArguments(folders: readonly string[], links: readonly string[]): readonly string[] {
  const list = folders.flatMap((folder) => ['--ro-bind', folder, folder]);
  for (const link of links) {
    // Merged systems have links into /usr, older ones folders.
    if (lstatSync(link).isSymbolicLink()) list.push('--symlink', readlinkSync(link), link);
    else list.push('--ro-bind', link, link);
  }
  for (const folder of RESOLVER_FOLDERS) if (existsSync(folder)) list.push('--ro-bind', folder, folder);
  list.push('--proc', '/proc', ...deviceArguments(), '--dir', '/var', '--symlink', '../tmp', '/var/tmp');
  return list;
}

/**
 * The devices that every program may expect. Bubblewrap's own /dev has pseudo-terminals, for which, without
 * root, it nests two user namespaces; commands could then not enter the sandbox any more, so there it is made
 * by hand.
 */
function deviceArguments(): readonly string[] {
  if (process.getuid?.() === 0) return ['--dev', '/dev'];
  const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
  const streams = ['stdin', 'stdout', 'stderr'];
  return [
    ...['--tmpfs', '/dev', '--dir', '/dev/shm', '--symlink', '/proc/self/fd', '/dev/fd'],
    ...devices.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...streams.flatMap((name, index) => ['--symlink', `/proc/self/fd/${index}`, `/dev/${name}`]),
  ];
}

function rootArguments(): readonly string[] {
  const secrets = SECRET_FILES.filter(
    (path) => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o400) !== 0,
  );
  return [
    ...secrets.flatMap((path) => ['--ro-bind', '/dev/null', path]),
    ...SECRET_FOLDERS.filter((path) => existsSync(path)).flatMap((path) => ['--tmpfs', path]),
    // The kernel's settings are root's to write. One mount that covers all of them is cheaper than one for
    // each.
    ...['--remount-ro', '/proc'],
  ];
}

function explain(error: unknown): string {
  if (errorCode(error) === 'ENOENT') {
    return 'bubblewrap is not installed on this node (apt-get install bubblewrap)';
  }
  const stderr =
    typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr).trim() : '';
  const killed = typeof error === 'object' && error !== null && 'killed' in error && error.killed === true;
  const silence = killed ? `it did not answer within ${PROBE_DEADLINE_MS / 1000} s` : errorMessage(error);
  const detail = stderr === '' ? silence : stderr;
  const hint = /namespace|Operation not permitted|uid map/.test(detail)
    ? '; unprivileged user namespaces must be allowed for it, or the node run as root'
    : '';
  return `bubblewrap does not work on this node (${detail}${hint})`;
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}
