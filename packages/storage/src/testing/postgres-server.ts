import { encodeBase32, retry, systemClock, systemRandom } from '@clawbernetes/kernel';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);
const DEBIAN_ROOT = '/usr/lib/postgresql';

/** A PostgreSQL for tests: databases of their own, gone with it. */
export interface TestPostgres extends AsyncDisposable {
  /** Creates an empty database and answers its URL. */
  createDatabase(): Promise<string>;
  /** Runs SQL as the owner, in the database of `url` or the administrative one. */
  query(sql: string, url?: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** Why a test of PostgreSQL is skipped; part of its name. */
export interface PostgresMissing {
  readonly skipped: string;
}

/** The server that CLAWBERNETES_TEST_POSTGRES_URL names, else one on 127.0.0.1:5432, else a private one. */
export async function startTestPostgres(): Promise<TestPostgres | PostgresMissing> {
  const url = process.env['CLAWBERNETES_TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  if (await answers(url)) return testPostgres(url, async () => undefined);
  if (process.env['CLAWBERNETES_TEST_POSTGRES_URL'] !== undefined) {
    return { skipped: 'CLAWBERNETES_TEST_POSTGRES_URL does not answer' };
  }
  const binaries = await findBinaries();
  if (binaries === undefined) return { skipped: 'needs PostgreSQL: apt-get install -y postgresql' };
  return startPrivate(binaries);
}

async function answers(url: string): Promise<boolean> {
  try {
    await query(url, 'select 1');
    return true;
  } catch {
    return false;
  }
}

async function query(url: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(text);
    return rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function testPostgres(adminUrl: string, stop: () => Promise<void>): TestPostgres {
  const databases: string[] = [];
  return {
    async createDatabase() {
      const name = `claw_test_${process.pid}_${encodeBase32(systemRandom.bytes(5))}`;
      await query(adminUrl, `create database ${name} template template0 lc_collate 'C' lc_ctype 'C'`);
      databases.push(name);
      const url = new URL(adminUrl);
      url.pathname = `/${name}`;
      return url.href;
    },
    query: (text, url = adminUrl) => query(url, text),
    async [Symbol.asyncDispose]() {
      for (const name of databases) await query(adminUrl, `drop database if exists ${name} with (force)`);
      await stop();
    },
  };
}

async function findBinaries(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN_ROOT).catch(() => []);
  const newest = versions.toSorted((left, right) => Number(right) - Number(left))[0];
  return newest === undefined ? undefined : join(DEBIAN_ROOT, newest, 'bin');
}

async function startPrivate(binaries: string): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'claw-postgres-'));
  const user = await serverUser();
  if (user) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const identity = { ...user, cwd: folder };
  await run(
    join(binaries, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8'],
    identity,
  );
  const port = await freePort();
  const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder];
  const server = spawn(join(binaries, 'postgres'), args, { ...identity, stdio: 'ignore' });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const deps = { clock: systemClock, random: systemRandom };
  await retry(deps, { attempts: 200, firstMs: 20, maxMs: 100 }, () => query(url, 'select 1'));
  return testPostgres(url, () => stopServer(server, folder));
}

/** PostgreSQL refuses to run as root; its Debian package made a user for it. */
async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function stopServer(server: ChildProcess, folder: string): Promise<void> {
  const exited = once(server, 'exit');
  server.kill('SIGINT'); // fast shutdown
  await exited;
  await rm(folder, { recursive: true });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
