import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, encodeBase32, errorCode, type Random } from '@clawbernetes/kernel';

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
    await chmod(folder, 0o700);
  } catch (cause) {
    const message = `The folder ${folder} cannot be used (${errorCode(cause) ?? 'unknown error'}); make it writable or choose another with --home.`;
    throw new CodedError(message, { code: 'home-unusable' }, { cause });
  }
}

/** The owner's API token, made on the first start; mode 0600. */
export async function loadOrCreateOwnerToken(folder: string, random: Random): Promise<string> {
  const file = join(folder, 'owner.token');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
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
  await writeFile(draft, content, { mode: 0o600 });
  await rename(draft, file);
}
