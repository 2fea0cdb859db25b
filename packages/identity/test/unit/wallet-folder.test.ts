// Shows that wallets are kept whole and private, survive rotation with their old versions, and that a file
// which cannot be used is named with its reason and left as it is.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { seededRandom } from '@clawbernetes/kernel';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WalletFolder } from '../../src/node/wallet-folder.ts';
import {
  activeKey,
  createEntropy,
  entropyOf,
  eraseSecret,
  parseSolanaKey,
  pathlessSolanaKey,
  solanaKeyText,
  walletFacts,
  walletKeyPair,
  withNextKey,
  withoutRetiredKeys,
  type WalletSecret,
} from '../../src/wallet/index.ts';
import { addressOf, generateKeyPair } from '../../src/index.ts';

const passphrase = 'correct horse battery';
const cost = { memoryKib: 64, passes: 1, lanes: 1 };
const random = seededRandom(3);
let nowMs = 1_800_000_000_000;
let home: string;
let wallets: WalletFolder;

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'claw-wallet-'));
  wallets = new WalletFolder(
    { clock: { nowMs: () => nowMs }, random },
    { folder: path.join(home, 'wallets'), cost },
  );
});
afterEach(() => rm(home, { recursive: true, force: true }));

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

function phraseSecret(): WalletSecret {
  return { kind: 'phrase', entropy: createEntropy(12, random) };
}

async function createWallet(name: string, secret = phraseSecret()): Promise<string> {
  await wallets.create(name, { facts: walletFacts(secret, nowMs), secret }, passphrase);
  return wallets.fileOf(name);
}

test('a wallet is one private file, and opens as it was', async () => {
  const secret = phraseSecret();
  const file = await createWallet('main', secret);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(wallets.folder)).mode & 0o777).toBe(0o700);
  expect(await readdir(wallets.folder)).toEqual(['main.json']);
  const opened = await wallets.unlock('main', passphrase);
  expect(opened).toMatchObject({ secret, facts: walletFacts(secret, nowMs) });
  expect(await wallets.read('main')).toEqual(opened.facts);
  expect(await wallets.has('main')).toBe(true);
  expect(await wallets.has('other')).toBe(false);
});

test('none replaces another, also when two are made at once', async () => {
  const outcomes = await Promise.allSettled([
    createWallet('main'),
    createWallet('main'),
    createWallet('main'),
  ]);
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  await expect(createWallet('main')).rejects.toThrow(code('keystore-exists'));
  expect(await readdir(wallets.folder)).toEqual(['main.json']);
});

test('a rotation keeps the old version until it is discarded', async () => {
  const file = await createWallet('main');
  const before = await readFile(file, 'utf8');
  const { facts, secret, revision } = await wallets.unlock('main', passphrase);
  nowMs += 1000;
  const rotated = withNextKey(facts, secret, nowMs);
  const oldFile = await wallets.replace('main', { facts: rotated, secret, revision }, 'another passphrase');
  expect(await readFile(oldFile, 'utf8')).toBe(before);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await expect(wallets.unlock('main', passphrase)).rejects.toThrow(code('keystore-passphrase'));
  expect((await wallets.unlock('main', 'another passphrase')).facts).toEqual(rotated);
  expect((await wallets.list()).map(({ name }) => name)).toEqual(['main']);
  await createWallet('main2');
  expect(await wallets.oldFiles('main')).toEqual([oldFile]);
  expect(await wallets.discardOldFiles('main')).toEqual([oldFile]);
  expect((await readdir(wallets.folder)).toSorted()).toEqual(['main.json', 'main2.json']);
});

test('of two that rotate at once, the later one is told', async () => {
  await createWallet('main');
  const [one, two] = [await wallets.unlock('main', passphrase), await wallets.unlock('main', passphrase)];
  await wallets.replace('main', one, 'the first passphrase');
  nowMs += 1000;
  const second = wallets.replace('main', two, 'the second passphrase');
  await expect(second).rejects.toThrow(code('keystore-changed'));
  expect(await wallets.unlock('main', 'the first passphrase')).toMatchObject({ facts: one.facts });
  expect(await wallets.oldFiles('main')).toHaveLength(1);
});

describe('a file that cannot be used is left as it is:', () => {
  const spoil: readonly (readonly [string, string, (file: string) => Promise<void>])[] = [
    ['others may read it', 'keystore-permissions', (file) => chmod(file, 0o640)],
    [
      'cut off',
      'keystore-damaged',
      async (file) => writeFile(file, (await readFile(file, 'utf8')).slice(0, 200)),
    ],
    ['empty', 'keystore-damaged', (file) => writeFile(file, '')],
    [
      'of a later version',
      'keystore-version',
      async (file) => writeFile(file, (await readFile(file, 'utf8')).replace('"version": 1', '"version": 2')),
    ],
    ['of another program', 'keystore-version', (file) => writeFile(file, solanaKeyText(generateKeyPair()))],
    ['larger than any', 'keystore-unreadable', (file) => writeFile(file, 'x'.repeat(2_000_000))],
  ];

  test.each(spoil)('%s', async (_what, expected, change) => {
    const file = await createWallet('main');
    await change(file);
    const content = await readFile(file);
    const unlocked = { secret: phraseSecret(), facts: walletFacts(phraseSecret(), nowMs), revision: '' };
    await expect(wallets.read('main')).rejects.toThrow(code(expected));
    await expect(wallets.unlock('main', passphrase)).rejects.toThrow(code(expected));
    await expect(wallets.replace('main', unlocked, passphrase)).rejects.toThrow(code(expected));
    await expect(createWallet('main')).rejects.toThrow(code('keystore-exists'));
    expect(await readFile(file)).toEqual(content);
    expect(await wallets.list()).toEqual([
      { name: 'main', problem: { code: expected, message: expect.stringContaining(file) } },
    ]);
    expect(await readdir(wallets.folder)).toEqual(['main.json']);
  });

  test('a wrong passphrase', async () => {
    const content = await readFile(await createWallet('main'));
    await expect(wallets.unlock('main', 'wrong passphrase')).rejects.toThrow(code('keystore-passphrase'));
    expect(await readFile(wallets.fileOf('main'))).toEqual(content);
  });

  test('a folder or a dangling link in its place', async () => {
    await mkdir(wallets.fileOf('main'), { recursive: true, mode: 0o700 });
    await expect(wallets.read('main')).rejects.toThrow(code('keystore-unreadable'));
    await symlink('/nowhere/at/all', wallets.fileOf('other'));
    await expect(wallets.read('other')).rejects.toThrow(code('keystore-absent'));
    await expect(createWallet('other')).rejects.toThrow(code('keystore-exists'));
  });
});

test('what is absent is said to be, and names stay inside the folder', async () => {
  expect(await wallets.list()).toEqual([]);
  await expect(wallets.read('main')).rejects.toThrow(code('keystore-absent'));
  for (const name of ['', '..', 'a/b', '-a', 'a-', 'A', 'a.b', 'x'.repeat(33)]) {
    expect(() => wallets.fileOf(name)).toThrow(code('invalid-key-name'));
  }
});

describe('keys of a wallet', () => {
  test('the next ones follow from the phrase, the old ones stay known', () => {
    const secret = phraseSecret();
    const first = walletFacts(secret, 1);
    const third = withNextKey(withNextKey(first, secret, 2), secret, 3);
    expect(third.keys.map(({ path: where, retiredAtMs }) => [where, retiredAtMs])).toEqual([
      ["m/44'/501'/0'/0'", 2],
      ["m/44'/501'/1'/0'", 3],
      ["m/44'/501'/2'/0'", undefined],
    ]);
    for (const key of third.keys) expect(addressOf(walletKeyPair(secret, key).publicKey)).toBe(key.address);
    const cleaned = withoutRetiredKeys(third);
    expect(cleaned.keys).toEqual([activeKey(third)]);
    expect(activeKey(withNextKey(cleaned, secret, 4)).index).toBe(3);
    expect(() => walletKeyPair(phraseSecret(), activeKey(third))).toThrow(code('keystore-damaged'));
  });

  test('an imported key has no next one', () => {
    const secret: WalletSecret = { kind: 'private-key', privateKey: generateKeyPair(random).privateKey };
    const facts = walletFacts(secret, 1);
    expect(activeKey(facts).path).toBeUndefined();
    expect(() => withNextKey(facts, secret, 2)).toThrow(code('invalid-key'));
  });

  test('are erased on request', () => {
    const secret = phraseSecret();
    eraseSecret(secret);
    expect(secret).toEqual({ kind: 'phrase', entropy: new Uint8Array(16) });
  });
});

describe('the Solana CLI’s key file', () => {
  test('reads back as written', () => {
    const pair = generateKeyPair(random);
    const text = solanaKeyText(pair);
    expect(JSON.parse(text)).toHaveLength(64);
    expect(parseSolanaKey(text, 'f')).toEqual(pair);
  });

  test.each(['', '[]', '{}', '[1,2', JSON.stringify(Array.from({ length: 64 }, () => 256)), '"x"'])(
    'is refused where it is something else: %#',
    (text) => {
      expect(() => parseSolanaKey(text, 'the-file')).toThrow(code('invalid-key'));
      expect(() => parseSolanaKey(text, 'the-file')).toThrow(/^the-file is not a JSON array of 64 bytes/);
    },
  );

  test('is refused where its halves do not belong together', () => {
    const bytes = JSON.parse(solanaKeyText(generateKeyPair(random))) as number[];
    const mixed = [...bytes.slice(0, 32), ...generateKeyPair(random).publicKey];
    expect(() => parseSolanaKey(JSON.stringify(mixed), 'f')).toThrow(/do not belong together/);
  });

  test('of a phrase without a path is what solana-keygen makes of it', () => {
    // The Solana Cookbook's example of a phrase without a path.
    const entropy = entropyOf(
      'pill tomorrow foster begin walnut borrow virtual kick shift mutual shoe scatter',
    );
    expect(addressOf(pathlessSolanaKey(entropy).publicKey)).toBe(
      '5ZWj7a1f8tWkjBESHKgrLmXshuXxqeY9SYcfbshpAqPG',
    );
  });
});
