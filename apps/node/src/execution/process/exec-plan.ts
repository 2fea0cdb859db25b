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

const ENV = '/usr/bin/env';
const SETPRIV = '/usr/bin/setpriv';
const NSENTER = '/usr/bin/nsenter';

/** A command beside a bare workload: with its user, environment, directory and limits. */
export function bareExecPlan(
  tree: ProcessTree,
  { command, env, directory, owner }: ExecSurroundings,
): ExecPlan {
  const { cgroups } = tree.facts;
  const become = owner === undefined ? [] : [SETPRIV, ...identity(owner)];
  const [program = ENV, ...args] = [...become, ENV, '-i', ...pairs(env), ...command];
  return { program, args, env: {}, directory, ...(cgroups && { cgroups }) };
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
    ...[ENV, '-i', ...pairs(env), ...command],
  ];
  return { program: NSENTER, args, env: {}, ...(cgroups && { cgroups }) };
}

function leavingPrivileges({ owner }: ExecSurroundings): readonly string[] {
  // Without root, the way in is through the sandbox's user namespace; its privileges end with the next exec.
  if (process.getuid?.() !== 0) return ['--user', '--preserve-credentials', '--', SETPRIV, '--no-new-privs'];
  const become = owner === undefined ? [] : identity(owner);
  return ['--', SETPRIV, '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', ...become];
}

function pairs(env: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

function identity({ uid, gid }: Owner): readonly string[] {
  return [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
}
