import { access, chmod, constants, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeBase32, errorCode, errorMessage, type Random } from '@clawbernetes/kernel';
import { gatewayError } from './errors.ts';

const TOKEN_BYTES = 32;

/** Where the CLI finds a running gateway. */
export interface Endpoint {
  readonly url: string;
  readonly pid: number;
  readonly startedAtMs: number;
}

/** The gateway's folder, for its owner only. @throws CodedError `home-unusable`. */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { mode } = await stat(folder);
    if ((mode & 0o077) !== 0) await chmod(folder, mode & 0o700);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

function unusable(path: string, cause: unknown): Error {
  const why = errorCode(cause) ?? errorMessage(cause);
  const message = `${path} cannot be used (${why}); make it a folder that you can write, or choose another with --home.`;
  return gatewayError('home-unusable', message, { cause });
}

/** The owner's API token, made on the first start; mode 0600. */
export async function loadOrCreateOwnerToken(folder: string, random: Random): Promise<string> {
  const file = join(folder, 'owner.token');
  try {
    const known = (await readFile(file, 'utf8')).trim();
    if (known !== '') return known;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw unusable(file, error);
  }
  const token = `claw_${encodeBase32(random.bytes(TOKEN_BYTES))}`;
  await writeWhole(file, `${token}\n`);
  return token;
}

export async function writeEndpoint(folder: string, endpoint: Endpoint): Promise<void> {
  await writeWhole(join(folder, 'endpoint.json'), `${JSON.stringify(endpoint)}\n`);
}

export async function removeEndpoint(folder: string): Promise<void> {
  await rm(join(folder, 'endpoint.json'), { force: true });
}

async function writeWhole(file: string, content: string): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(draft, content, { mode: 0o600, flush: true });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw unusable(file, error);
  }
}
