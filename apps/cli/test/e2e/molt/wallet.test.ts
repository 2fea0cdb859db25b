// Shows that wallets are made, imported, recovered, rotated and exported by the real command, that secrets
// show where they were asked for and nowhere else, and that a file which cannot be used stays as it is.
import { spawnSync } from 'node:child_process';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeHome, removeHome, runCli, type CliResult } from '../cli-process.ts';

const PASSPHRASE = 'correct horse battery';
/** BIP-39's first test phrase and its address in Solana wallets. */
const PHRASE = `${'abandon '.repeat(11)}about`;
const ADDRESS = 'HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk';

interface Wallet {
  readonly wallet: string;
  readonly address: string;
  readonly peerId: string;
  readonly did: string;
  readonly moltDid: string;
  readonly path?: string;
  readonly file: string;
  readonly phrase?: string;
  readonly shares?: readonly string[];
  readonly oldFile?: string;
  readonly retiredKeys: readonly { readonly address: string }[];
}

let home: string;
let passphraseFile: string;
beforeEach(async () => {
  home = await makeHome();
  passphraseFile = path.join(home, 'passphrase');
  await writeFile(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
});
afterEach(() => removeHome(home));

function wallet(...args: string[]): Promise<CliResult> {
  return runCli(['molt', 'wallet', ...args], { home });
}

/** With the passphrase, which must succeed; answers the JSON. */
async function unlocked(...args: string[]): Promise<Wallet> {
  const { code, stdout, stderr } = await wallet(...args, '--passphrase-file', passphraseFile, '-f', 'json');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Wallet;
}

async function shown(...args: string[]): Promise<Wallet> {
  return JSON.parse((await wallet('show', ...args, '-f', 'json')).stdout) as Wallet;
}

async function secretFile(name: string, text: string): Promise<string> {
  const file = path.join(home, name);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

/** Any word of the phrase that would not stand in an ordinary message. */
function expectNoSecret({ stdout, stderr }: CliResult, ...secrets: string[]): void {
  for (const secret of [PASSPHRASE, ...secrets]) {
    expect(stdout).not.toContain(secret);
    expect(stderr).not.toContain(secret);
  }
}

describe('create', () => {
  it('shows the phrase once, and the same key under each of its names', async () => {
    const made = await unlocked('create');
    expect(made.phrase?.split(' ')).toHaveLength(24);
    expect(made.path).toBe("m/44'/501'/0'/0'");
    expect(made.peerId).toMatch(/^12D3KooW/);
    expect(made.did).toMatch(/^did:key:z6Mk/);
    expect(made.moltDid).toBe(`did:molt:${made.did.slice(4)}`);
    expect((await stat(made.file)).mode & 0o777).toBe(0o600);
    expect(made.file).toBe(path.join(home, 'wallets', 'main.json'));
    const { phrase: _, ...names } = made;
    expect(await shown()).toEqual(names);
    const text = await readFile(made.file, 'utf8');
    // Some words of phrases are names in the file, too; three of a phrase in a row, however parted, are not.
    const words = made.phrase?.split(' ') ?? [];
    expect(words).toHaveLength(24);
    for (const [index] of words.slice(2).entries())
      expect(text).not.toMatch(new RegExp(words.slice(index, index + 3).join('[^a-z]+')));
    expect(JSON.parse((await wallet('show', '--did-document')).stdout)).toMatchObject({ id: made.did });
  });

  it('numbers the words for people, and asks them to write them down', async () => {
    const result = await wallet('create', '--words', '12', '--passphrase-file', passphraseFile);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/not shown again/);
    expect(result.stdout.match(/\b(?:[1-9]|1[0-2]) [a-z]+/g)).toHaveLength(12);
    expectNoSecret(result);
  });

  it('gives shares of which some are enough', async () => {
    const made = await unlocked('create', '--shares', '2-of-3');
    expect(made.phrase).toBeUndefined();
    expect(made.shares).toHaveLength(3);
    const two = await secretFile('shares', `${made.shares?.slice(1).join('\n')}\n`);
    const again = await unlocked('recover', '--wallet', 'again', '--from', two);
    expect(again.address).toBe(made.address);
    const one = await secretFile('share', made.shares?.[0] ?? '');
    const refused = await wallet('recover', '--wallet', 'third', '--from', one);
    expect(refused).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('2 shares of a group are needed'),
    });
    expectNoSecret(refused, made.shares?.[0]?.split(' ')[5] ?? '');
  });

  it('never replaces a wallet, and says so before it asks anything', async () => {
    const { file } = await unlocked('create');
    const before = await readFile(file);
    for (const args of [['create'], ['import', 'nowhere.json'], ['recover', '--from', 'nowhere']]) {
      const refused = await wallet(...args);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--wallet') });
    }
    expect(await readFile(file)).toEqual(before);
  });
});

describe('the passphrase', () => {
  it('comes from a file descriptor as well', async () => {
    const args = ['molt', 'wallet', 'create', '-f', 'json', '--passphrase-fd', '0'];
    expect(await runCli(args, { home, input: `${PASSPHRASE}\r\n` })).toMatchObject({ code: 0 });
    const opened = await wallet('export', 'id.json', '--passphrase-file', passphraseFile);
    expect(opened).toMatchObject({ code: 0 });
  });

  it('comes from any descriptor that the shell opened', async () => {
    await unlocked('create');
    const bin = path.resolve(import.meta.dirname, '../../../bin/clawbernetes.js');
    const script = `'${process.execPath}' '${bin}' molt wallet export id.json --passphrase-fd 7 7<passphrase`;
    const { status, stderr } = spawnSync('sh', ['-c', script], {
      cwd: home,
      env: { PATH: process.env['PATH'], CLAWBERNETES_HOME: home },
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(await readFile(path.join(home, 'id.json'), 'utf8'))).toHaveLength(64);
  });

  it.each([
    [['--passphrase-fd', '0', '--passphrase-file', 'x'], /not both/, 5],
    [['--passphrase-fd', '99'], /--passphrase-fd 99 could not be read/, 5],
    [['--passphrase-file', 'absent'], /absent could not be read/, 5],
    [['--passphrase', 'secret'], /unknown option --passphrase/, 5],
    [[], /no terminal to ask at\. Use --passphrase-file or --passphrase-fd/, 5],
  ])('is missing or mistaken: %j', async (args, says, code) => {
    expect(await wallet('create', ...args)).toMatchObject({ code, stderr: expect.stringMatching(says) });
    expect((await wallet('list', '-f', 'json')).stdout).toContain('"wallets": []');
  });

  it('must not be short', async () => {
    await writeFile(passphraseFile, 'short');
    const refused = await wallet('create', '--passphrase-file', passphraseFile);
    expect(refused).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/has 5 characters; take 8 or more/),
    });
  });
});

describe('import and export', () => {
  it('carries a key of the Solana CLI there and back', async () => {
    await unlocked('create');
    const out = await wallet('export', 'id.json', '--passphrase-file', passphraseFile);
    const { address } = await shown();
    expect(out).toMatchObject({ code: 0, stdout: expect.stringContaining(address) });
    const key = await readFile(path.join(home, 'id.json'), 'utf8');
    expect((await stat(path.join(home, 'id.json'))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(key)).toHaveLength(64);
    expectNoSecret(out, key.slice(1, 40));

    const imported = await unlocked('import', 'id.json', '--wallet', 'copy');
    expect(imported.address).toBe(address);
    expect(imported.path).toBeUndefined();
    expect(await readFile(path.join(home, 'id.json'), 'utf8')).toBe(key);
  });

  it('never replaces a file, and shows a key only when told so', async () => {
    await unlocked('create');
    await secretFile('id.json', 'precious');
    const refused = await wallet('export', 'id.json', '--passphrase-file', passphraseFile);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is there already') });
    expect(await readFile(path.join(home, 'id.json'), 'utf8')).toBe('precious');
    expect(await wallet('export')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('--print-private-key'),
    });
    const printed = await wallet('export', '--print-private-key', '--passphrase-file', passphraseFile);
    expect(JSON.parse(printed.stdout)).toHaveLength(64);
  });

  it.each([
    ['[1,2,3]', /not a JSON array of 64 bytes/],
    [JSON.stringify(Array.from({ length: 64 }, () => 7)), /two halves that do not belong together/],
    ['{"format":"clawbernetes-keystore"}', /not a JSON array/],
  ])('refuses what is no key: %#', async (text, says) => {
    const refused = await wallet('import', await secretFile('key', text));
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringMatching(says) });
    expect(await readFile(path.join(home, 'key'), 'utf8')).toBe(text);
  });

  it('says that others may read the file, and reads stdin', async () => {
    await unlocked('create');
    await wallet('export', 'id.json', '--passphrase-file', passphraseFile);
    const key = await readFile(path.join(home, 'id.json'), 'utf8');
    await chmod(path.join(home, 'id.json'), 0o644);
    const open = await wallet('import', 'id.json', '-w', 'a', '--passphrase-file', passphraseFile);
    expect(open).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/can be read by others \(mode 0644\)/),
    });
    const args = ['molt', 'wallet', 'import', '-', '-w', 'b', '--passphrase-file', passphraseFile];
    expect(await runCli(args, { home, input: key })).toMatchObject({ code: 0 });
    expect((await shown('-w', 'b')).address).toBe((await shown('-w', 'a')).address);
  });
});

describe('recover', () => {
  it('gives the address that Solana wallets show for the phrase', async () => {
    const file = await secretFile('phrase', `${PHRASE.toUpperCase().replaceAll(' ', '\n')}\n`);
    expect(await unlocked('recover', '--from', file)).toMatchObject({ address: ADDRESS });
  });

  it('reaches the key of solana-keygen without a path', async () => {
    // The Solana Cookbook's example.
    const words = 'pill tomorrow foster begin walnut borrow virtual kick shift mutual shoe scatter';
    const file = await secretFile('phrase', words);
    expect(await unlocked('recover', '--pathless', '--from', file)).toMatchObject({
      address: '5ZWj7a1f8tWkjBESHKgrLmXshuXxqeY9SYcfbshpAqPG',
      kind: 'private-key',
    });
  });

  it.each([
    [`${'abandon '.repeat(11)}abandon`, /checksum/],
    [PHRASE.replace('about', 'clawbernetes-word'), /word list: word 12/],
    ['abandon', /it has 1 words instead of/],
    [`${PHRASE}\n${PHRASE}\n${PHRASE}`, /not in the SLIP-39 word list/],
    ['', /there are none/],
  ])('explains a mistake without repeating what was given: %#', async (text, says) => {
    const refused = await wallet('recover', '--from', await secretFile('phrase', text));
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringMatching(says), stdout: '' });
    expectNoSecret(refused, 'abandon', 'clawbernetes-word');
  });
});

describe('rotate', () => {
  it('changes the passphrase and keeps the old file until told otherwise', async () => {
    const made = await unlocked('create');
    const newFile = await secretFile('new', 'a better passphrase');
    const rotated = await unlocked('rotate', '--new-passphrase-file', newFile);
    expect(rotated.address).toBe(made.address);
    const wrong = await wallet('export', 'id.json', '--passphrase-file', passphraseFile);
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining('The passphrase is wrong') });
    expect(await wallet('export', 'id.json', '--passphrase-file', newFile)).toMatchObject({ code: 0 });
    expect((await readdir(path.join(home, 'wallets'))).length).toBe(2);
    expect(rotated.oldFile).toContain('main.');
    const discarded = await wallet('rotate', '--discard-old', '--passphrase-file', newFile);
    expect(discarded).toMatchObject({ code: 0, stderr: expect.stringMatching(/deleted: 2/) });
    expect(await readdir(path.join(home, 'wallets'))).toEqual(['main.json']);
  });

  it('goes on to the next key; the retired one is still exported', async () => {
    const made = await unlocked('create');
    const rotated = await unlocked('rotate', '--next-key');
    expect(rotated.path).toBe("m/44'/501'/1'/0'");
    expect(rotated.address).not.toBe(made.address);
    expect(rotated.retiredKeys).toMatchObject([{ address: made.address }]);
    const old = await wallet('export', 'old.json', '--key', '0', '--passphrase-file', passphraseFile);
    expect(old.stdout).toContain(made.address);
    expect(await wallet('export', 'x.json', '--key', '9', '--passphrase-file', passphraseFile)).toMatchObject(
      {
        code: 5,
        stderr: expect.stringContaining('no key 9; it has 0, 1'),
      },
    );
    const phrase = await secretFile('phrase', made.phrase ?? '');
    const recovered = await unlocked('recover', '-w', 'again', '--from', phrase);
    expect(recovered.address).toBe(made.address);
  });

  it('says what it can do, and what an imported key cannot', async () => {
    expect(await wallet('rotate')).toMatchObject({ code: 5, stderr: expect.stringContaining('--next-key') });
    await unlocked('create');
    await wallet('export', 'id.json', '--passphrase-file', passphraseFile);
    await unlocked('import', 'id.json', '-w', 'copy');
    const refused = await wallet('rotate', '--next-key', '-w', 'copy', '--passphrase-file', passphraseFile);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('one imported key') });
  });
});

describe('a keystore that cannot be used stays as it is:', () => {
  const spoiled: readonly (readonly [string, (file: string) => Promise<void>, RegExp, number])[] = [
    [
      'cut off',
      async (file) => writeFile(file, (await readFile(file, 'utf8')).slice(0, 300)),
      /cut off or no JSON/,
      1,
    ],
    ['readable by others', (file) => chmod(file, 0o604), /others may read it \(mode 0604\).*chmod 600/, 1],
    [
      'of a later version',
      async (file) => writeFile(file, (await readFile(file, 'utf8')).replace('"version": 1', '"version": 9')),
      /version 9; this program reads version 1/,
      1,
    ],
    [
      'of another program',
      (file) => writeFile(file, '{"crypto":{}}'),
      /npx clawbernetes molt wallet import/,
      1,
    ],
  ];

  it.each(spoiled)('%s', async (_what, spoil, says, code) => {
    const { file } = await unlocked('create');
    await unlocked('create', '-w', 'sound');
    await spoil(file);
    const [before, mode] = [await readFile(file), (await stat(file)).mode];
    for (const args of [['show'], ['export', 'id.json'], ['rotate', '--next-key']]) {
      expect(await wallet(...args)).toMatchObject({ code, stderr: expect.stringMatching(says), stdout: '' });
    }
    const list = await wallet('list');
    expect(list).toMatchObject({ code: 1, stderr: expect.stringMatching(says) });
    expect(list.stdout).toMatch(/^main +keystore-/m);
    expect(list.stdout).toMatch(/^sound +[1-9A-HJ-NP-Za-km-z]{32,44} +phrase/m);
    expect([await readFile(file), (await stat(file)).mode]).toEqual([before, mode]);
    expect((await readdir(path.join(home, 'wallets'))).toSorted()).toEqual(['main.json', 'sound.json']);
  });

  it('a wrong passphrase', async () => {
    const { file } = await unlocked('create');
    const before = await readFile(file);
    const wrong = await secretFile('wrong', 'wrong passphrase');
    for (const args of [
      ['export', 'id.json'],
      ['rotate', '--next-key'],
    ]) {
      const refused = await wallet(...args, '--passphrase-file', wrong, '-f', 'json');
      expect(refused.code).toBe(3);
      expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: 'keystore-passphrase' } });
      expectNoSecret(refused, 'wrong passphrase');
    }
    expect(await readFile(file)).toEqual(before);
  });

  it('none at all', async () => {
    for (const args of [['show'], ['export', 'id.json'], ['rotate', '--next-key']]) {
      expect(await wallet(...args)).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('no wallet "main"'),
      });
    }
    expect(await wallet('show', '-w', '../x')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('../x'),
    });
    expect(await wallet('list')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('No wallets yet'),
    });
  });
});

it('help names every command, each with examples', async () => {
  const { stdout } = await wallet('--help');
  for (const name of ['create', 'import', 'recover', 'list', 'show', 'export', 'rotate']) {
    expect(stdout).toMatch(new RegExp(`^ +${name}\\b`, 'm'));
    const help = await wallet(name, '--help');
    expect(help.stdout).toContain(`$ clawbernetes molt wallet ${name}`);
  }
  expect(await wallet('crate')).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/did you mean create\?\nSee ".*molt wallet --help"/),
  });
});
