import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage } from '@clawbernetes/kernel';
import type { Context } from '../../context.ts';
import { cliError } from '../../errors.ts';

/** A document for others, never in place of a file that is there. @returns its path. */
export async function writeNewFile(context: Context, file: string, value: unknown): Promise<string> {
  const target = path.resolve(context.config.cwd, file);
  try {
    await writeFile(target, `${JSON.stringify(value, undefined, 2)}\n`, { flag: 'wx' });
    return target;
  } catch (cause) {
    const message = `${target} could not be written (${errorMessage(cause)}). Name a new file with --save.`;
    throw cliError('file-unwritable', message, { cause });
  }
}
