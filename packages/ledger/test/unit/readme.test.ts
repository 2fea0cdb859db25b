// Shows that the example in the README runs as it is written.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('runs the example', async () => {
  const root = join(import.meta.dirname, '../..');
  const [, example = ''] = /```ts\n(.*?)```/s.exec(await readFile(join(root, 'README.md'), 'utf8')) ?? [];
  const script = `${example}
    import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
    import { LEDGER_SCHEMA } from '@clawbernetes/ledger';
    import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
    const host = { clock: systemClock, random: systemRandom, logger: silentLogger };
    await using store = await openMemoryStore(host, new MemoryDisk(host), { schema: LEDGER_SCHEMA });
    console.log(JSON.stringify([...(await pay({ ...host, store }, new Uint8Array(32)))]));`;
  const args = ['--conditions=@clawbernetes/source', '--input-type=module-typescript', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(JSON.parse(stdout)).toEqual([0]);
});
