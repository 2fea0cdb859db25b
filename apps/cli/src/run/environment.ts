import { readFile } from 'node:fs/promises';
import { errorMessage } from '@clawbernetes/kernel';
import { invalidArguments } from '../errors.ts';

export interface EnvironmentSources {
  /** `NAME=value`, or `NAME` for the caller's value. */
  readonly pairs: readonly string[];
  readonly file: string | undefined;
  readonly caller: Readonly<Record<string, string | undefined>>;
}

/** Variables of the workload: the file's, then the options'. */
export async function readEnvironment(sources: EnvironmentSources): Promise<Record<string, string>> {
  const fromFile = sources.file === undefined ? [] : await readLines(sources.file);
  const env: Record<string, string> = {};
  for (const pair of [...fromFile, ...sources.pairs]) {
    const equals = pair.indexOf('=');
    if (equals === 0) throw invalidArguments(`"${pair}" names no environment variable; write NAME=value.`);
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const value = equals < 0 ? sources.caller[name] : pair.slice(equals + 1);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** Lines that are neither empty nor comments. */
async function readLines(file: string): Promise<string[]> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    throw invalidArguments(`The environment file cannot be read: ${errorMessage(error)}.`);
  }
  return content.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
}
