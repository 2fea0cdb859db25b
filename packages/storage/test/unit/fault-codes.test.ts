// Shows that what the engines and the system report is named by the right code.
import { describe, expect, it } from 'vitest';
import { postgresFault } from '../../src/postgres/postgres-fault.ts';
import { sqliteFault } from '../../src/sqlite/sqlite-fault.ts';

const failure = (code?: string): Error => Object.assign(new Error('what happened'), { code });

describe('fault codes', () => {
  it.each([
    ['EPIPE', 'storage-unavailable'],
    ['ECONNREFUSED', 'storage-unavailable'],
    [undefined, 'storage-unavailable'],
    ['57P01', 'storage-unavailable'],
    ['28P01', 'storage-unavailable'],
    ['53100', 'storage-full'],
    ['25006', 'storage-read-only'],
    ['23505', 'storage-rejected'],
    ['XX001', 'storage-corrupt'],
    ['XX000', 'storage-failed'],
  ])('PostgreSQL %s is %s', (code, expected) => {
    const fault = postgresFault(failure(code));
    expect(fault).toMatchObject({ code: expected, detail: expect.stringContaining('what happened') });
  });

  it.each([
    ['SQLITE_BUSY_RECOVERY', 'storage-in-use'],
    ['SQLITE_CORRUPT_VTAB', 'storage-corrupt'],
    ['SQLITE_READONLY_DIRECTORY', 'storage-read-only'],
    ['SQLITE_FULL', 'storage-full'],
    ['SQLITE_IOERR_FSYNC', 'storage-unavailable'],
    ['SQLITE_CONSTRAINT_PRIMARYKEY', 'storage-rejected'],
    [undefined, 'storage-rejected'],
  ])('SQLite %s is %s', (code, expected) => {
    expect(sqliteFault(failure(code)).code).toBe(expected);
  });
});
