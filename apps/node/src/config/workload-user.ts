import { readFileSync } from 'node:fs';
import { nodeError } from '../errors.ts';

/** As whom workloads run. */
export interface WorkloadUser {
  readonly uid: number;
  readonly gid: number;
}

export interface AccountFiles {
  /** As in passwd(5) and group(5). */
  readonly passwd: string;
  readonly group: string;
}

const MAX_ID = 2 ** 32 - 2;

/**
 * The user that `text` names: `user`, `user:group`, `uid:gid`.
 * @throws CodedError `invalid-config`.
 */
export function parseWorkloadUser(text: string, files: AccountFiles = accountFiles()): WorkloadUser {
  const [user = '', group] = text.split(':', 2);
  const account = files.passwd.split('\n').find((line) => isOf(line, user));
  const uid = account === undefined ? idOf(user) : idOf(account.split(':')[2]);
  if (uid === undefined) {
    throw invalid(`run_as: there is no user "${user}" in /etc/passwd. Create it, or write uid:gid.`);
  }
  const gid = group === undefined ? idOf(account?.split(':')[3]) : groupId(group, files);
  if (gid !== undefined) return { uid, gid };
  const problem = group === undefined ? `user ${user} has no known group` : `there is no group "${group}"`;
  throw invalid(`run_as: ${problem}. Write uid:gid, such as 65534:65534.`);
}

/** @throws CodedError `invalid-config` if a process of `ownUid` cannot start others as `user`. */
export function requireMayBecome(user: WorkloadUser, ownUid: number | undefined): void {
  if (ownUid === 0 || ownUid === user.uid) return;
  throw invalid(
    `run_as: only root can run workloads as another user, and this process runs as user ${ownUid ?? 'unknown'}. ` +
      'Start clawnode as root, or leave run_as out.',
  );
}

function isOf(line: string, user: string): boolean {
  const [name, , uid] = line.split(':', 3);
  return user !== '' && (name === user || uid === user);
}

function groupId(group: string, files: AccountFiles): number | undefined {
  const line = files.group.split('\n').find((each) => each.startsWith(`${group}:`));
  return idOf(line?.split(':')[2] ?? group);
}

function idOf(text: string | undefined): number | undefined {
  const id = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  return id <= MAX_ID ? id : undefined;
}

function accountFiles(): AccountFiles {
  return { passwd: textOf('/etc/passwd'), group: textOf('/etc/group') };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // A system without such files knows its users by number only.
    return '';
  }
}

function invalid(message: string): Error {
  return nodeError('invalid-config', message);
}
