// Shows that a wallet whose writer is killed at any step of its work on files is there whole, as it was or as
// it was to be, and never half.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { errorCode, systemRandom } from '@clawbernetes/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WalletFolder } from '../../src/node/wallet-folder.ts';
import { walletFacts, type WalletSecret } from '../../src/wallet/index.ts';

const cost = { memoryKib: 64, passes: 1, lanes: 1 };
const clock = { nowMs: () => 1_800_000_000_000 };
const secret: WalletSecret = { kind: 'phrase', entropy: new Uint8Array(16) };
const facts = walletFacts(secret, 1);

/** Kills its process with SIGKILL at the CRASH_AT-th operation on files, before or after it was done. */
const SCRIPT = `
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
let left = Number(process.env.CRASH_AT);
const step = () => { if (--left === 0) process.kill(process.pid, 'SIGKILL'); };
const counted = (target, name) => {
  const original = target[name];
  target[name] = async function (...args) {
    step();
    const result = await original.apply(this, args);
    step();
    return result;
  };
};
const handle = await fs.open(process.execPath);
const prototype = Object.getPrototypeOf(handle);
await handle.close();
for (const name of ['open', 'link', 'rename', 'unlink', 'mkdir']) counted(fs, name);
for (const name of ['writeFile', 'sync', 'readFile']) counted(prototype, name);
syncBuiltinESMExports();
const { WalletFolder } = await import('../../src/node/wallet-folder.ts');
const { walletFacts } = await import('../../src/wallet/index.ts');
const { systemRandom: random } = await import('@clawbernetes/kernel');
const { folder, action } = JSON.parse(process.env.WORK);
const cost = ${JSON.stringify(cost)};
const wallets = new WalletFolder({ clock: { nowMs: () => ${clock.nowMs()} }, random }, { folder, cost });
const secret = { kind: 'phrase', entropy: new Uint8Array(16) };
const content = { facts: walletFacts(secret, 1), secret };
if (action === 'create') await wallets.create('main', content, 'the new passphrase');
else await wallets.replace('main', await wallets.unlock('main', 'the old passphrase'), 'the new passphrase');
`;

/** More operations than any action has. */
const MAX_STEPS = 60;

let home: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'claw-crash-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** Whether it was killed at that step; false once it came through. */
function killedAt(step: number, folder: string, action: 'create' | 'replace'): boolean {
  const args = ['--conditions=@clawbernetes/source', '--input-type=module', '--eval', SCRIPT];
  const { signal, status, stderr } = spawnSync(process.execPath, args, {
    cwd: import.meta.dirname,
    env: { CRASH_AT: String(step), WORK: JSON.stringify({ folder, action }) },
    encoding: 'utf8',
  });
  expect([stderr, signal ?? status]).toEqual(['', signal === null ? 0 : 'SIGKILL']);
  return signal !== null;
}

test.each(['create', 'replace'] as const)('%s', async (action) => {
  const seen = new Set<string>();
  let step = 1;
  for (let killed = true; killed; step += 1) {
    expect(step).toBeLessThan(MAX_STEPS);
    const folder = path.join(home, String(step));
    const wallets = new WalletFolder({ clock, random: systemRandom }, { folder, cost });
    if (action === 'replace') await wallets.create('main', { facts, secret }, 'the old passphrase');
    killed = killedAt(step, folder, action);
    const state = await stateOf(wallets);
    seen.add(state);
    if (!killed) expect(state).toBe('new');
    await wallets.discardOldFiles('main');
    expect(await readdir(folder).catch(() => [])).toEqual(state === 'absent' ? [] : ['main.json']);
  }
  expect(seen).toEqual(new Set([action === 'create' ? 'absent' : 'old', 'new']));
  expect(step).toBeGreaterThan(10);
});

/** Which passphrase opens the wallet. */
async function stateOf(wallets: WalletFolder): Promise<'absent' | 'old' | 'new'> {
  if ((await wallets.list()).length === 0) return 'absent';
  try {
    await wallets.unlock('main', 'the new passphrase');
    return 'new';
  } catch (error) {
    expect(errorCode(error)).toBe('keystore-passphrase');
    expect((await wallets.unlock('main', 'the old passphrase')).facts).toEqual(facts);
    return 'old';
  }
}
