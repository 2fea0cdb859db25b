import { CodedError } from '@clawbernetes/kernel';
import type { ExecPlan } from './exec-command.ts';
import type { Owner } from './attempt-folder.ts';
import type { ProcessTree } from './process-tree.ts';

export interface ExecSurroundings {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly ownNetwork: boolean;
  readonly owner?: Owner;
}

/**
 * Reads its environment where nobody else can: arguments are for every user of the host to see. The shell is
 * in the workload's place and has its rights already.
 */
const SHELL = ['/bin/sh', '-c', 'eval "$(cat)"; exec "$@" </dev/null', 'sh'];
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SETPRIV = '/usr/bin/setpriv';
const NSENTER = '/usr/bin/nsenter';

/** A command beside a bare workload: with its user, environment, directory and limits. */
export function bareExecPlan(
  tree: ProcessTree,
  { command, env, directory, owner }: ExecSurroundings,
): ExecPlan {
  const { cgroups } = tree.facts;
  const become = owner === undefined ? [] : [SETPRIV, ...identity(owner)];
  const [program = '', ...args] = [...become, ...SHELL, ...command];
  return { program, args, input: exportsOf(env), directory, ...(cgroups && { cgroups }) };
}

/**
 * A command in the namespaces of a sandboxed workload. Entering takes privileges, which are dropped again
 * before anything of the workload's own runs; the environment is set last, inside, for the same reason.
 */
export function sandboxExecPlan(tree: ProcessTree, surroundings: ExecSurroundings): ExecPlan {
  const { cgroups, attemptId } = tree.facts;
  const target = tree.reporter;
  if (target === undefined) {
    throw new CodedError(`Attempt ${attemptId} is not running any more.`, { code: 'attempt-not-running' });
  }
  const { command, env, ownNetwork } = surroundings;
  const args = [
    ...[`--target=${target}`, '--mount', '--pid', '--ipc', '--uts', '--wd'],
    ...(ownNetwork ? ['--net'] : []),
    ...leavingPrivileges(surroundings),
    ...SHELL,
    ...command,
  ];
  return { program: NSENTER, args, input: exportsOf(env), ...(cgroups && { cgroups }) };
}

function leavingPrivileges({ owner }: ExecSurroundings): readonly string[] {
  // Without root, the way in is through the sandbox's user namespace; its privileges end with the next exec.
  if (process.getuid?.() !== 0) return ['--user', '--preserve-credentials', '--', SETPRIV, '--no-new-privs'];
  const become = owner === undefined ? [] : identity(owner);
  return ['--', SETPRIV, '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', ...become];
}

/** @throws CodedError `invalid-input` for a name that no shell takes. */
function exportsOf(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env).map(([name, value]) => {
    if (VARIABLE.test(name)) return `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'\n`;
    throw new CodedError(`"${name}" is not a name for an environment variable.`, { code: 'invalid-input' });
  });
  return lines.join('');
}

function identity({ uid, gid }: Owner): readonly string[] {
  return [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
}
