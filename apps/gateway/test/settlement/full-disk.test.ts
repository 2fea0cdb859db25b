// Shows that a ledger whose disk is full takes nothing more, while the fleet beside it goes on, and that it
// opens by itself, with all that it acknowledged, once there is space.
import { addressOf, generateKeyPair } from '@clawbernetes/identity';
import { MOLT, present, systemRandom } from '@clawbernetes/kernel';
import { signRequest, TransferBatch } from '@clawbernetes/ledger';
import type { CommandInput, CommandOutput } from '@clawbernetes/protocol';
import { appendFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startGateway } from '../support/local-gateway.ts';
import { mountDisk, smallDiskMissing } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ledgerOpen, Owner } from './owner.ts';

const MIB = 2 ** 20;
const BATCH_ITEMS = 2000;
const RECOVERY_MS = 30_000;
const reason = smallDiskMissing && ` [skipped: ${smallDiskMissing}]`;

/** Until nothing more fits. */
async function fill(file: string): Promise<void> {
  for (let size = MIB; size >= 512; size /= 2)
    await appendFile(file, Buffer.alloc(size)).catch(() => undefined);
}

/** Batches that move nothing, and take their place in the journal all the same. */
function* batches({
  ledgerId,
  timeMs,
}: CommandOutput<'ledger.info'>): Generator<CommandInput<'ledger.submit'>, never, undefined> {
  const key = generateKeyPair(systemRandom);
  const batch = new TransferBatch(BATCH_ITEMS);
  for (let item = 1n; item <= BATCH_ITEMS; item += 1n)
    batch.add({
      id: (BigInt(timeMs) << 80n) | item,
      debitAccount: 1n,
      creditAccount: 2n,
      amount: 1n,
      code: 1,
    });
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  for (let nonce = 1; ; nonce += 1) {
    const request = { kind: 'transfers', items: batch.bytes, ledgerId, nonce } as const;
    const expiresAtMs = timeMs + 600_000;
    const { authority } = signRequest(key, { ...request, expiresAtMs });
    const signature = text(present(authority, 'an authority').signature);
    const signer = addressOf(key.publicKey);
    yield { kind: 'transfers', items: text(batch.bytes), signer, nonce, expiresAtMs, signature };
  }
}

describe.skipIf(reason !== '')(`a ledger on a disk that is full${reason}`, () => {
  test('stops, says so, and goes on by itself', async () => {
    const [home, disk] = [await tempFolder(), await tempFolder()];
    mountDisk(disk, 16);
    await mkdir(join(home, 'gateway'), { mode: 0o700 });
    await writeFile(join(disk, 'ledger.sqlite'), '', { mode: 0o600 });
    await symlink(join(disk, 'ledger.sqlite'), join(home, 'gateway', 'ledger.sqlite'));
    const { api } = await startGateway({}, { home, args: ['--settlement', 'development'] });
    await ledgerOpen(api);
    const owner = await new Owner(api).funded(5n);
    const signed = owner.signed({ type: 'faucet', body: { amount: String(MOLT) } });
    const ballast = join(disk, 'ballast');
    await signed;
    await fill(ballast);
    const filler = batches(await api.call('ledger.info', {}));
    await waitUntil('a batch is not acknowledged', async () => {
      const { status } = await api.post('ledger.submit', JSON.stringify(filler.next().value));
      return status !== 200;
    });
    const order = await signed;
    const { code } = await api.refusal('ledger.order', { order });
    expect(code).toBe('storage-unavailable');
    const { settlement } = await api.call('fleet.status', {});
    expect(settlement?.state).not.toBe('open');
    await api.call('config.create', { key: 'fleet', value: 'works' });
    await rm(ballast);
    await waitUntil(
      'the ledger is open again',
      async () => (await api.call('fleet.status', {})).settlement?.state === 'open',
      RECOVERY_MS,
    );
    expect((await owner.balance()).available).toBe(String(5n * MOLT));
    expect((await api.call('ledger.order', { order })).result).toBe('ok');
    expect((await owner.balance()).available).toBe(String(6n * MOLT));
    expect((await api.call('ledger.audit', {})).report?.discrepancies).toEqual([]);
  }, 90_000);
});
