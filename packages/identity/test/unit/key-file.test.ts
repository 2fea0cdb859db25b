// Shows that a key file is made once, privately and whole, and that a doubtful one is refused with what to
// do.
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKeyFile, loadOrCreateKeyFile } from '../../src/node/key-file.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'claw-key-'));
  file = path.join(folder, 'deep', 'node.key');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('is made with mode 0600 and then loaded', async () => {
  expect(await loadKeyFile(file)).toBeUndefined();
  const made = await loadOrCreateKeyFile(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await loadOrCreateKeyFile(file)).publicKey).toEqual(made.publicKey);
  expect(await readdir(path.dirname(file))).toEqual(['node.key']);
});

test('many that start together end with one key', async () => {
  const keys = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateKeyFile(file)));
  expect(new Set(keys.map((key) => Buffer.from(key.publicKey).toString('hex'))).size).toBe(1);
  expect(await readdir(path.dirname(file))).toEqual(['node.key']);
});

test('a file that others may read is refused, saying how to mend it', async () => {
  await loadOrCreateKeyFile(file);
  await chmod(file, 0o640);
  await expect(loadOrCreateKeyFile(file)).rejects.toThrow(`mode 0640). If nobody else`);
  await expect(loadOrCreateKeyFile(file)).rejects.toMatchObject({ code: 'key-file-permissions' });
});

test.each(['', 'hello\n', 'clawbernetes-ed25519-private-key AAAA\n', 'x'.repeat(10_000)])(
  'a damaged file is refused and left alone: %#',
  async (content) => {
    const damaged = path.join(folder, 'damaged.key');
    await writeFile(damaged, content, { mode: 0o600 });
    await expect(loadOrCreateKeyFile(damaged)).rejects.toMatchObject({ code: 'key-file-invalid' });
    expect(await readFile(damaged, 'utf8')).toBe(content);
  },
);

test('a folder that is a file is named in the message', async () => {
  await writeFile(path.join(folder, 'deep'), '');
  await expect(loadOrCreateKeyFile(file)).rejects.toThrow(file);
});
