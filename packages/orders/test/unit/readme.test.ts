// Shows that the example in the README runs as it is written, and comes to what its comments say; as in a
// browser.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('runs the example', async () => {
  const root = join(import.meta.dirname, '../..');
  const [, example = ''] = /```ts\n(.*?)```/s.exec(await readFile(join(root, 'README.md'), 'utf8')) ?? [];
  const script = `let refusal;
    ${example.replace('refusalOf(error);', 'refusal = refusalOf(error);')}
    console.log(JSON.stringify([isTheirs, String(receipt.cumulativeAmount), last.n, refusal]));`;
  const conditions = ['--conditions=@clawbernetes/source', '--conditions=browser'];
  const args = [...conditions, '--input-type=module-typescript', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(JSON.parse(stdout)).toEqual([true, '30', 1, 'receipt-conflict']);
});
