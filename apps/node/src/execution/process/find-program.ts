import { statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { CodedError } from '@clawbernetes/kernel';

export interface ProgramSearch {
  /** The PATH that the workload will have. */
  readonly path: string;
  readonly workingDirectory: string;
  /** Whether the workload will find the same thing at this path as we do. */
  readonly isShared: (path: string) => boolean;
}

/**
 * The file that `program` names, or undefined if only the workload itself can tell.
 * @throws CodedError `command-not-found` or `command-not-executable`.
 */
export function findProgram(program: string, search: ProgramSearch): string | undefined {
  const found = program.includes('/') ? lookAt(program, search) : lookAlong(program, search);
  if (found === undefined || found.executable) return found?.path;
  throw new CodedError(
    `${found.path} is not executable. Run "chmod +x ${found.path}", ` +
      'or name the interpreter, such as python3 or sh.',
    { code: 'command-not-executable' },
  );
}

interface Candidate {
  readonly path: string;
  readonly executable: boolean;
}

function lookAt(program: string, { workingDirectory, isShared }: ProgramSearch): Candidate | undefined {
  const path = isAbsolute(program) ? program : resolve(workingDirectory, program);
  if (!isShared(path)) return undefined;
  const candidate = candidateAt(path);
  if (candidate !== undefined) return candidate;
  throw new CodedError(`There is no program at ${path}. Check the spelling and the working directory.`, {
    code: 'command-not-found',
  });
}

function lookAlong(program: string, { path, isShared }: ProgramSearch): Candidate | undefined {
  let unsure = false;
  let unfit: Candidate | undefined;
  for (const folder of path.split(':')) {
    if (!isAbsolute(folder)) continue;
    const candidate = isShared(folder) ? candidateAt(`${folder}/${program}`) : undefined;
    if (candidate?.executable === true) return unsure ? undefined : candidate;
    unfit ??= candidate;
    unsure ||= !isShared(folder);
  }
  if (unsure) return undefined;
  if (unfit !== undefined) return unfit;
  throw new CodedError(
    `The program "${program}" was not found on this node; looked in ${path}. ` +
      'Check the spelling, install it there, or give its full path.',
    { code: 'command-not-found' },
  );
}

function candidateAt(path: string): Candidate | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && { path, executable: stat.isFile() && (stat.mode & 0o111) !== 0 };
}
