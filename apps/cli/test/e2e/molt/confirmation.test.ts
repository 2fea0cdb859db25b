// Shows that a person at a terminal sees what would be moved, where and on which network before a passphrase
// is asked for, and that "no" and Ctrl-C move nothing.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli-process.ts';
import { noTerminal, TerminalSession } from '../terminal-session.ts';
import { LedgerGateway } from './ledger-gateway.ts';

const PASSPHRASE = 'correct horse battery';

describe.skipIf(noTerminal)(`at a terminal ${noTerminal && `[skipped: ${noTerminal}]`}`, () => {
  let gateway: LedgerGateway;
  let passphraseFile: string;
  beforeAll(async () => {
    gateway = await LedgerGateway.open();
    passphraseFile = path.join(gateway.home, 'passphrase');
    await writeFile(passphraseFile, PASSPHRASE, { mode: 0o600 });
    for (const command of ['wallet create', 'faucet 50'])
      await cli('molt', ...command.split(' '), '--passphrase-file', passphraseFile);
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  async function cli(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCli(args, { home: gateway.home });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }

  function start(): TerminalSession {
    return new TerminalSession({ home: gateway.home, cwd: gateway.home }, 'molt stake deposit 5');
  }

  it.each([
    ['no', 'n'],
    ['Ctrl-C', '\u0003'],
  ])('%s moves nothing', async (_, key) => {
    using session = start();
    await session.expectOutput('Stake 5 MOLT of');
    await session.expectOutput(`development network, ledger ${await gateway.ledgerId()}`);
    session.press(key);
    await session.expectOutput('nothing was moved');
    expect(await session.exitCode).toBe(130);
    expect(await cli('molt', 'balance')).toMatch(/Available +50 MOLT/);
  });

  it('yes asks for the passphrase, and then it is done', async () => {
    using session = start();
    await session.expectOutput('Stake 5 MOLT of');
    session.press('y');
    await session.expectOutput('Passphrase of wallet main');
    session.press(`${PASSPHRASE}\r`);
    await session.expectOutput('Staked  5 MOLT');
    expect(await session.exitCode).toBe(0);
    expect(session.transcript).not.toContain(PASSPHRASE);
    expect(await cli('molt', 'balance')).toMatch(/Available +45 MOLT/);
  });
});
