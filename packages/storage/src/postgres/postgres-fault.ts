import { errorCode, errorMessage } from '@clawbernetes/kernel';
import { StorageFault, type StorageErrorCode } from '../storage-fault.ts';

/**
 * By SQLSTATE or the longest prefix of it (PostgreSQL manual, appendix A); without one it is the connection.
 */
const CODES: readonly (readonly [prefix: string, code: StorageErrorCode])[] = [
  ['25006', 'storage-read-only'],
  ['25P03', 'storage-unavailable'],
  ['53100', 'storage-full'],
  ['53', 'storage-unavailable'],
  ['55P03', 'storage-in-use'],
  ['57', 'storage-unavailable'],
  ['58', 'storage-unavailable'],
  ['08', 'storage-unavailable'],
  ['28', 'storage-unavailable'],
  ['3D', 'storage-unavailable'],
  ['40', 'storage-unavailable'],
  ['42501', 'storage-read-only'],
  ['21', 'storage-rejected'],
  ['22', 'storage-rejected'],
  ['23', 'storage-rejected'],
  ['42', 'storage-rejected'],
  ['XX001', 'storage-corrupt'],
  ['XX002', 'storage-corrupt'],
];
/** Every SQLSTATE has a digit; the system's EPIPE has five capitals too. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

export function postgresFault(error: unknown): StorageFault {
  if (error instanceof StorageFault) return error;
  const code = errorCode(error) ?? '';
  const detail = errorMessage(error) || code || 'the connection failed';
  if (!SQLSTATE.test(code)) return new StorageFault('storage-unavailable', detail, { cause: error });
  const found = CODES.find(([prefix]) => code.startsWith(prefix));
  return new StorageFault(found?.[1] ?? 'storage-failed', `${code}: ${detail}`, { cause: error });
}
