// Shows that a gateway on PostgreSQL, killed while clients submit, has all that it acknowledged when the next
// takes over its lease.
import { startTestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, expect, test } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { expectAllKept, SEED } from '../support/expect-all-kept.ts';
import { tempFolder } from '../support/temp-folder.ts';

const postgres = await startTestPostgres();
afterAll(async () => {
  if (!('skipped' in postgres)) await postgres[Symbol.asyncDispose]();
});
const reason = 'skipped' in postgres ? ` [skipped: ${postgres.skipped}]` : '';

test.skipIf(reason !== '')(
  `killed while clients submit (seed ${SEED})${reason}`,
  async () => {
    if ('skipped' in postgres) return;
    const env = { CLAWBERNETES_DATABASE_URL: await postgres.createDatabase() };
    await expectAllKept({ home: await tempFolder(), env }, 1);
  },
  60_000,
);

test('one that cannot be reached is named without its password', async () => {
  const env = { CLAWBERNETES_DATABASE_URL: 'postgres://claw:hunter2@127.0.0.1:1/fleet' };
  const gateway = new GatewayProcess({ home: await tempFolder(), args: ['--port', '0'], env });
  expect(await gateway.exited).toBe(1);
  expect(gateway.stderr).toContain('127.0.0.1:1/fleet cannot be reached');
  expect(gateway.stderr).not.toContain('hunter2');
});
