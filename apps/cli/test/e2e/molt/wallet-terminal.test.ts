// Shows what a person at a terminal is asked for a wallet: the passphrase twice and never visible, shares one
// by one, and that Ctrl-C leaves nothing behind.
import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeHome, removeHome, runCli } from '../cli-process.ts';
import { noTerminal, TerminalSession } from '../terminal-session.ts';

const CTRL_C = '\u0003';
const ENTER = '\r';
const PASSPHRASE = 'correct horse battery';

describe.skipIf(noTerminal)(`a wallet at a terminal ${noTerminal && `[skipped: ${noTerminal}]`}`, () => {
  let home: string;
  const sessions = new Set<TerminalSession>();
  beforeEach(async () => {
    home = await makeHome();
  });
  afterEach(async () => {
    for (const session of sessions) session[Symbol.dispose]();
    await removeHome(home);
  });

  function start(words: string): TerminalSession {
    const session = new TerminalSession({ home, cwd: home }, `molt wallet ${words}`);
    sessions.add(session);
    return session;
  }

  async function answer(session: TerminalSession, question: string, text: string): Promise<void> {
    await session.expectOutput(question);
    session.press(text + ENTER);
  }

  async function createWallet(words = 'create'): Promise<TerminalSession> {
    const session = start(words);
    await answer(session, 'New passphrase for wallet main', PASSPHRASE);
    await answer(session, 'The same again', PASSPHRASE);
    expect(await session.exitCode).toBe(0);
    return session;
  }

  it('is created with a passphrase typed twice, which is never shown', async () => {
    const session = start('create');
    await answer(session, 'New passphrase for wallet main', 'short');
    await answer(session, 'has 5 characters; take 8 or more', PASSPHRASE);
    await answer(session, 'The same again', 'something else');
    await answer(session, 'That is not the same', PASSPHRASE);
    await session.expectOutput('Recovery phrase');
    expect(await session.exitCode).toBe(0);
    expect(session.transcript).not.toMatch(/correct|horse|battery|something|short/);
  });

  it('asks before it exports, and answers a wrong passphrase', async () => {
    await createWallet();
    const session = start('export id.json');
    await answer(session, 'Passphrase of wallet main', 'not the passphrase');
    await session.expectOutput('The passphrase is wrong');
    expect(await session.exitCode).toBe(3);
    expect(await readdir(home)).toEqual(['wallets']);
  });

  it('is recovered from shares, each asked for until there are enough', async () => {
    const made = await createWallet('create --shares 2-of-3 -f json');
    const json = made.transcript.slice(made.transcript.indexOf('{'), made.transcript.lastIndexOf('}') + 1);
    const { shares, address } = JSON.parse(json) as { shares: [string, string, string]; address: string };

    const session = start('recover --wallet again');
    await answer(session, 'Recovery phrase, or the first share', 'no words of any list');
    await answer(session, 'not in the SLIP-39 word list', shares[2]);
    await answer(session, 'one more is needed', shares[2]);
    await answer(session, 'a share is given twice', shares[0]);
    await answer(session, 'New passphrase for wallet again', PASSPHRASE);
    await answer(session, 'The same again', PASSPHRASE);
    await session.expectOutput(address);
    expect(await session.exitCode).toBe(0);
    // Two words: one alone may be part of what else is said ("dress" of "address").
    expect(session.transcript).not.toContain(shares[0].split(' ').slice(7, 9).join(' '));
  });

  it('is not made when Ctrl-C answers', async () => {
    const session = start('create');
    await session.expectOutput('New passphrase for wallet main');
    session.press(CTRL_C);
    await session.expectOutput('nothing was changed');
    expect(await session.exitCode).toBe(130);
    expect((await runCli(['molt', 'wallet', 'list'], { home })).stdout).toContain('No wallets yet');
  });
});
