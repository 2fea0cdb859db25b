// Shows that a clawnode of root runs workloads as the user of its configuration, who reads nothing of root's.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import { decodeRecords } from '@clawbernetes/telemetry';
import { describe, expect, test } from 'vitest';
import { Bubblewrap } from '../../src/execution/process/bubblewrap.ts';
import { until } from '../../src/testing/until.ts';
import { ClawnodeHome } from './clawnode-process.ts';
import { TestGateway } from './test-gateway.ts';

const EXITED = 6;
const DEADLINE_MS = 20_000;
const isRoot = process.getuid?.() === 0;
const hasSandbox = isRoot && typeof (await Bubblewrap.open({ hidden: [] })) !== 'string';
const needsRoot = isRoot ? '' : ' [skipped: needs root, which alone may become another user]';
const needsSandbox = hasSandbox ? '' : ' [skipped: needs root and bubblewrap: apt-get install bubblewrap]';

async function openWorld() {
  const stack = new AsyncDisposableStack();
  const gateway = stack.use(await TestGateway.open());
  const open = mkdtempSync(path.join(tmpdir(), 'clawnode-run-as-'));
  stack.defer(() => rmSync(open, { recursive: true }));
  chmodSync(open, 0o755);
  const secret = path.join(open, 'secret');
  writeFileSync(secret, 'of root', { mode: 0o600 });
  const home = stack.use(new ClawnodeHome());
  const toml = `[workloads]\nrun_as = "65534:65533"\nscratch_folder = "${open}/scratch"\n`;
  writeFileSync(path.join(home.path, 'clawnode.toml'), toml);
  home.start('--gateway', gateway.url, '--allow-unsandboxed');
  await until('it registered', () => gateway.connections[0]?.phase === 'registered', DEADLINE_MS);
  const connection = await gateway.registered(1);
  return { connection, open, secret, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** What a script prints when it has ended, with what was said of its end. */
async function outputOf(
  { connection }: Awaited<ReturnType<typeof openWorld>>,
  script: string,
  spec: Partial<WorkloadSpecInput>,
) {
  connection.start('a-1', { command: ['/bin/sh', '-c', script], ...spec });
  const ended = () => connection.statuses().find(({ state }) => state >= EXITED);
  await until('it ended', () => ended() !== undefined, DEADLINE_MS);
  await until('its log is whole', () => connection.logs.get('a-1')?.final === true, DEADLINE_MS);
  const records = Buffer.concat(connection.logs.get('a-1')?.bytes ?? []);
  return Array.from(decodeRecords(records), ({ bytes }) => Buffer.from(bytes).toString()).join('');
}

function look(secret: string): string {
  return `echo "$(id -u) $(id -g) $(id -G)"
cat ${secret} 2>&1
echo mine > file && cat file
cat /etc/shadow 2>&1 | wc -l
ls -A | wc -l`;
}

const seen = (secret: string): string => `65534 65533 65533\ncat: ${secret}: Permission denied\nmine\n1\n1\n`;

describe.skipIf(!isRoot)(`run_as, bare${needsRoot}`, () => {
  test('a workload is that user and cannot read a file of root', async () => {
    await using world = await openWorld();
    const { secret } = world;
    expect(await outputOf(world, look(secret), { sandbox: 'off' })).toBe(seen(secret));
  });
});

describe.skipIf(!hasSandbox)(`run_as, sandboxed${needsSandbox}`, () => {
  test('a workload is that user and cannot read a file of root, not even one that is mounted', async () => {
    await using world = await openWorld();
    const { open, secret } = world;
    const mounts = [{ source: open, target: open, readOnly: false }];
    expect(await outputOf(world, look(secret), { sandbox: 'required', mounts })).toBe(seen(secret));
  });
});
