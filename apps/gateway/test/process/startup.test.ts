// Shows that a gateway which cannot start says why in one sentence with what to do next, ends with the right
// code, and leaves every file as it was.
import { silentLogger, systemClock } from '@clawbernetes/kernel';
import { fleetSchema } from '@clawbernetes/fleet';
import { openSqliteStore } from '@clawbernetes/storage';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { openForFile } from '../support/local-gateway.ts';
import { mountDisk, smallDiskMissing } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** Every file with its content and mode. */
async function picture(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(folder, { recursive: true })).toSorted()) {
    const path = join(folder, name);
    const { mode } = await stat(path);
    const content = (await stat(path)).isFile() ? await readFile(path) : 'folder';
    files[name] = `${mode.toString(8)} ${createHash('sha256').update(content).digest('hex')}`;
  }
  return files;
}

/** Starts one that must not start; answers its one message. */
async function refusal(home: string, args: readonly string[] = ['--port', '0'], code = 1): Promise<string> {
  const before = await picture(home).catch(() => undefined);
  const gateway = new GatewayProcess({ home, args });
  expect({ code: await gateway.exited }).toEqual({ code });
  const [message = '', ...more] = gateway.stderr.trimEnd().split('\n');
  expect(more).toEqual([]);
  expect(message).toMatch(/^claw-gateway: /);
  expect(await picture(home).catch(() => undefined)).toEqual(before);
  return message;
}

let used: string;
beforeAll(async () => {
  used = await mkdtemp(join(tmpdir(), 'claw-used-'));
  const { gateway, close } = await openForFile({}, used);
  await gateway.api.call('config.create', { key: 'kept', value: 'safe' });
  await close();
});
afterAll(() => rm(used, { recursive: true }));

/** A home that a gateway has used and left. */
async function usedHome(): Promise<{ home: string; database: string }> {
  const home = await tempFolder();
  await cp(used, home, { recursive: true });
  return { home, database: join(home, 'gateway', 'fleet.db') };
}

test('arguments that are wrong end with 5', async () => {
  const message = await refusal(await tempFolder(), ['--prot', '80'], 5);
  expect(message).toBe('claw-gateway: Unknown option --prot. Did you mean --port?');
});

describe('the home', () => {
  test('that is a file', async () => {
    const home = join(await tempFolder(), 'file');
    await writeFile(home, 'mine');
    expect(await refusal(home)).toMatch(/file.*cannot be used \((ENOTDIR|EEXIST)\).*--home/);
    expect(await readFile(home, 'utf8')).toBe('mine');
  });

  const reason = process.getuid?.() === 0 ? smallDiskMissing && ` [skipped: ${smallDiskMissing}]` : '';
  test.skipIf(reason !== '')(`that cannot be written${reason}`, async () => {
    const home = await tempFolder();
    if (process.getuid?.() === 0) {
      const disk = mountDisk(home, 8);
      await cp(used, home, { recursive: true });
      disk.remountReadOnly();
    } else {
      await mkdir(join(home, 'gateway'));
      await chmod(join(home, 'gateway'), 0o500);
    }
    expect(await refusal(home)).toMatch(/gateway cannot be used \((EROFS|EACCES)\); make it/);
  });

  test('whose key others may read', async () => {
    const { home } = await usedHome();
    await chmod(join(home, 'gateway', 'gateway.key'), 0o644);
    expect(await refusal(home)).toContain('chmod 600');
  });

  test('that another gateway uses: the second ends, the first serves on', async () => {
    const home = await tempFolder();
    const first = new GatewayProcess({ home });
    const api = await first.ready();
    const endpoint = await readFile(join(home, 'gateway', 'endpoint.json'), 'utf8');
    const second = new GatewayProcess({ home, args: ['--port', '0'] });
    expect(await second.exited).toBe(1);
    expect(second.stderr).toMatch(/^claw-gateway: Another process is writing to .*fleet\.db.*\n$/);
    expect(await readFile(join(home, 'gateway', 'endpoint.json'), 'utf8')).toBe(endpoint);
    await api.call('config.create', { key: 'still', value: 'here' });
  });
});

describe('the database', () => {
  test.each([
    ['is damaged', (bytes: Buffer) => bytes.fill(0xa5, 0, 4096)],
    ['is damaged inside', (bytes: Buffer) => bytes.fill(0xa5, 4096)],
    ['is of another program', () => Buffer.from('an account book, not a database')],
  ])('%s', async (_what, change) => {
    const { home, database } = await usedHome();
    await writeFile(database, change(await readFile(database)));
    expect(await refusal(home)).toMatch(/fleet\.db is damaged or not one of our databases.*backup/);
  });

  test('was written by a newer version', async () => {
    const { home, database } = await usedHome();
    const later = { name: 'fleet-9999-from-the-future', up: () => Promise.resolve() };
    const schema = { ...fleetSchema, migrations: [...fleetSchema.migrations, later] };
    const store = await openSqliteStore(
      { clock: systemClock, logger: silentLogger },
      { path: database, schema },
    );
    await store[Symbol.asyncDispose]();
    expect(await refusal(home)).toMatch(/fleet\.db was written by a newer version/);
  });
});

test('a port that is in use', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo; // of a TCP server
  const home = await tempFolder();
  const gateway = new GatewayProcess({ home, args: ['--port', String(port)] });
  expect(await gateway.exited).toBe(1);
  expect(gateway.stderr).toMatch(
    new RegExp(`^claw-gateway: Port ${port} on 127.0.0.1 is in use.*--port.*\n$`),
  );
  expect((await readdir(join(home, 'gateway'))).toSorted()).toEqual(['gateway.key', 'owner.token']);
  await new GatewayProcess({ home }).ready();
});
