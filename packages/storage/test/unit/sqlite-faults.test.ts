// Shows that the SQLite store survives kill −9, and names damaged, newer, foreign, locked, full and read-only
// files.
import { seededRandom, silentLogger, systemClock } from '@clawbernetes/kernel';
import { openSqliteStore, type Schema } from '@clawbernetes/storage';
import { testSchema } from '@clawbernetes/storage/testing';
import Database from 'better-sqlite3';
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SqliteDatabase } from '../../src/sqlite/sqlite-database.ts';
import { openSqliteFixture, type SqliteFixture } from './sqlite-fixture.ts';
import { acknowledgedUntilKilled, expectWhole } from './writer-process.ts';

async function withRows(fixture: SqliteFixture, count = 200): Promise<void> {
  await using store = await fixture.open(testSchema);
  const insert = { stream: 's', body: 'x'.repeat(1000) };
  await store.submit(
    Array.from({ length: count }, (_, sequence) => ({ table: 'event', insert: { ...insert, sequence } })),
  );
}

async function digest(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

/** Opening fails with `code`, says where, and changes nothing. */
async function expectRefused(
  fixture: SqliteFixture,
  code: string,
  schema: Schema = testSchema,
): Promise<void> {
  const before = await digest(fixture.path);
  const message = expect.stringContaining(fixture.path);
  await expect(fixture.open(schema)).rejects.toMatchObject({ code, message });
  expect(await digest(fixture.path)).toBe(before);
}

describe('SQLite faults', () => {
  it('keeps what was acknowledged through kill −9 at random moments', async () => {
    await using fixture = await openSqliteFixture();
    const random = seededRandom(7);
    let written = 0;
    for (let round = 0; round < 6; round += 1) {
      const count = 1 + Math.floor(400 * random.fraction());
      const acknowledged = await acknowledgedUntilKilled('sqlite', fixture.path, { first: written, count });
      expect(acknowledged.length).toBeGreaterThanOrEqual(count);
      await using store = await fixture.open(testSchema);
      written = await expectWhole(store, acknowledged);
      expect(store.term).toBe(2 * round + 2);
    }
  });

  it('tells a second process that the file is in use, without harm to the first', async () => {
    await using fixture = await openSqliteFixture();
    await using store = await fixture.open(testSchema);
    const script = `
      import { openSqliteStore } from '@clawbernetes/storage';
      import { testSchema } from '@clawbernetes/storage/testing';
      import { systemClock, silentLogger } from '@clawbernetes/kernel';
      const deps = { clock: systemClock, logger: silentLogger };
      const opened = openSqliteStore(deps, { path: process.argv[1], schema: testSchema });
      console.log(await opened.then(() => 'opened', (error) => error.code));`;
    const args = ['--conditions=@clawbernetes/source', '--input-type=module', '-e', script, fixture.path];
    const cwd = join(import.meta.dirname, '../..');
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd });
    expect(stdout.trim()).toBe('storage-in-use');
    await store.submit([{ table: 'event', insert: { stream: 's', sequence: 1 } }]);
  });

  it('acknowledges only what is synced: a write-ahead log with synchronous FULL', async () => {
    await using fixture = await openSqliteFixture();
    const path = join(fixture.folder, 'fleet.db');
    const database = new SqliteDatabase(path, { maxCheckedBytes: 0, pageBytes: 4096 });
    const read = (pragma: string): unknown => database.execute(`pragma ${pragma}`, []).rows[0]?.[pragma];
    expect(['journal_mode', 'synchronous', 'locking_mode'].map(read)).toEqual(['wal', 2, 'exclusive']);
    database.close();
  });

  it('commits many batches in one transaction', async () => {
    await using fixture = await openSqliteFixture();
    await using store = await fixture.open(testSchema);
    const submit = (sequence: number): Promise<void> =>
      store.submit([{ table: 'event', insert: { stream: 's', sequence } }]);
    await Promise.all(Array.from({ length: 1000 }, (_, sequence) => submit(sequence)));
    expect(store.stats()).toMatchObject({ batches: 1000, transactions: 1 });
  });

  it('keeps its log short, however much is written, in a file of the page size asked for', async () => {
    await using fixture = await openSqliteFixture();
    const deps = { clock: systemClock, logger: silentLogger };
    const options = { path: fixture.path, schema: testSchema, pageBytes: 16_384 };
    const body = new Uint8Array(655_360).fill(7);
    await using store = await openSqliteStore(deps, options);
    const submit = (sequence: number): Promise<void> =>
      store.submit([{ table: 'record', insert: { sequence, time_ms: 0, body } }]);
    for (let first = 0; first < 90; first += 30) {
      await Promise.all(Array.from({ length: 30 }, (_, index) => submit(first + index)));
    }
    expect((await stat(fixture.path)).size).toBeGreaterThan(48 * 2 ** 20);
    expect((await stat(`${fixture.path}-wal`)).size).toBeLessThan(16 * 2 ** 20);
    const header = await readFile(fixture.path);
    expect(header.readUInt16BE(16)).toBe(16_384);
  });

  it('refuses a file that is no database', async () => {
    await using fixture = await openSqliteFixture();
    await mkdir(dirname(fixture.path));
    await writeFile(fixture.path, 'This is not a database, but somebody may need it. '.repeat(100));
    await expectRefused(fixture, 'storage-corrupt');
  });

  it('refuses a database of another program', async () => {
    await using fixture = await openSqliteFixture();
    await mkdir(dirname(fixture.path));
    new Database(fixture.path).exec('create table theirs (id integer)').close();
    await expectRefused(fixture, 'storage-corrupt');
  });

  it.each([
    ['cut short', async (path: string) => truncate(path, (await stat(path)).size / 2)],
    ['overwritten in the middle', async (path: string) => scribble(path)],
  ])('refuses a file that was %s', async (_, damage) => {
    await using fixture = await openSqliteFixture();
    await withRows(fixture);
    await damage(fixture.path);
    await expectRefused(fixture, 'storage-corrupt');
  });

  it('leaves a newer database as it is', async () => {
    await using fixture = await openSqliteFixture();
    const later = { name: 'test-9999-later', up: async (): Promise<void> => undefined };
    {
      await using _newer = await fixture.open({
        ...testSchema,
        migrations: [...testSchema.migrations, later],
      });
    }
    await expectRefused(fixture, 'storage-newer');
  });

  it('says that the disk is full, keeps what was there and goes on once there is space', async (context) => {
    await using disk = await smallDisk();
    if (disk === undefined) return context.skip('needs root to mount a tmpfs of 1 MiB');
    const open = (): ReturnType<typeof openSqliteStore> =>
      openSqliteStore(
        { clock: systemClock, logger: silentLogger },
        { path: join(disk.folder, 'fleet.db'), schema: testSchema },
      );
    const store = await open();
    const failed = Promise.withResolvers<string>();
    store.onFailed((error) => failed.resolve(error.code));
    let acknowledged = 0;
    const fill = async (): Promise<never> => {
      for (;;) {
        const insert = { stream: 's', sequence: acknowledged, body: 'x'.repeat(20_000) };
        await store.submit([{ table: 'event', insert }]);
        acknowledged += 1;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'storage-full' });
    expect(await failed.promise).toBe('storage-full');
    await store[Symbol.asyncDispose]();
    disk.grow();
    await using reopened = await open();
    const { length } = await reopened.rows.selectFrom('event').select('sequence').execute();
    expect(length).toBe(acknowledged);
    await reopened.submit([{ table: 'item', upsert: { id: 'a', state: 'x', revision: 1 } }]);
  });

  it('says that the folder or the file cannot be written', async (context) => {
    if (process.getuid?.() === 0 && !(await exists('/usr/bin/setpriv'))) return context.skip('needs setpriv');
    await using fixture = await openSqliteFixture();
    await withRows(fixture);
    await chmod(fixture.path, 0o444);
    await chmod(dirname(fixture.path), 0o555);
    await chmod(fixture.folder, 0o555);
    const before = await digest(fixture.path);
    expect(await codeAsNobody(fixture.path)).toBe('storage-read-only');
    expect(await codeAsNobody(join(fixture.folder, 'new', 'fleet.db'))).toBe('storage-read-only');
    expect(await digest(fixture.path)).toBe(before);
    await chmod(fixture.folder, 0o755);
    await chmod(dirname(fixture.path), 0o755);
  });

  it('says that a path cannot be a file', async () => {
    await using fixture = await openSqliteFixture();
    await mkdir(fixture.path, { recursive: true });
    await expect(fixture.open(testSchema)).rejects.toMatchObject({ code: 'storage-unavailable' });
  });
});

async function scribble(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes.fill(0xa5, 4096, bytes.length - 4096);
  await writeFile(path, bytes);
}

interface SmallDisk extends AsyncDisposable {
  readonly folder: string;
  grow(): void;
}

async function smallDisk(): Promise<SmallDisk | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'claw-small-disk-'));
  const mount = (options: string): unknown =>
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  try {
    mount('size=1m');
  } catch {
    await rm(folder, { recursive: true });
    return undefined;
  }
  return {
    folder,
    grow: () => mount('remount,size=8m'),
    async [Symbol.asyncDispose]() {
      execFileSync('umount', [folder]);
      await rm(folder, { recursive: true });
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Root may write anywhere, so somebody else tries. */
async function codeAsNobody(path: string): Promise<string> {
  const script = `
    import { openSqliteStore } from '@clawbernetes/storage';
    import { systemClock, silentLogger } from '@clawbernetes/kernel';
    const schema = { tables: [], migrations: [] };
    const deps = { clock: systemClock, logger: silentLogger };
    const opened = openSqliteStore(deps, { path: process.argv[1], schema });
    console.log(await opened.then(() => 'opened', (error) => error.code));`;
  const args = ['--conditions=@clawbernetes/source', '--input-type=module', '-e', script, path];
  const options = { cwd: join(import.meta.dirname, '../..') };
  const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, ...args];
  const { stdout } = await (process.getuid?.() === 0
    ? promisify(execFile)('setpriv', asNobody, options)
    : promisify(execFile)(process.execPath, args, options));
  return stdout.trim();
}
