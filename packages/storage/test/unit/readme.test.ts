// Shows that the example in the README runs as it is written.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('runs the example', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'claw-storage-'));
  const root = join(import.meta.dirname, '../..');
  const [, example = ''] = /```ts\n(.*?)```/s.exec(await readFile(join(root, 'README.md'), 'utf8')) ?? [];
  const script = `${example.replace("'fleet.db'", JSON.stringify(join(folder, 'fleet.db')))}
    console.log(JSON.stringify(running));`;
  const args = ['--conditions=@clawbernetes/source', '--input-type=module-typescript', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(JSON.parse(stdout)).toEqual([{ id: 'w-1' }]);
  await rm(folder, { recursive: true });
});
