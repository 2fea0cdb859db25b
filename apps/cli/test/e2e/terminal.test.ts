// Shows what Ctrl-C does at a terminal while a workload runs in the foreground: it asks, detaches, goes on or
// stops.
import type { WorkloadView } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noTerminal, TerminalSession } from './terminal-session.ts';
import { TestFleet } from './test-fleet.ts';

const CTRL_C = '\u0003';

describe.skipIf(noTerminal)(`Ctrl-C at a terminal ${noTerminal && `[skipped: ${noTerminal}]`}`, () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await TestFleet.open();
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  async function begin(name: string): Promise<TerminalSession> {
    const session = new TerminalSession(
      { home: fleet.home, cwd: fleet.folder },
      `run --name ${name} -- sh -c 'echo be''gun; sleep 600'`,
    );
    await session.expectOutput('begun');
    session.press(CTRL_C);
    await session.expectOutput('Press Ctrl-C again to stop');
    return session;
  }

  const stateOf = async (name: string): Promise<string> =>
    (await fleet.json<WorkloadView>(['workload', 'status', name])).state;

  it('asks first; the second one stops the workload', async () => {
    const session = await begin('twice');
    expect(await stateOf('twice')).toBe('running');
    session.press(CTRL_C);
    expect(await session.exitCode).toBe(143);
    expect(session.output).toContain('twice cancelled');
    expect(await stateOf('twice')).toBe('cancelled');
  });

  it('goes on after any other key, and asks again', async () => {
    const session = await begin('once');
    session.press('x');
    await session.expectOutput('Going on.');
    session.press(CTRL_C);
    await session.expectOutput('Press Ctrl-C again to stop');
    session.press(CTRL_C);
    expect(await session.exitCode).toBe(143);
  });

  it('d leaves the workload running and says how to come back', async () => {
    const session = await begin('left');
    session.press('d');
    expect(await session.exitCode).toBe(0);
    expect(session.output).toMatch(/workload logs -f wl-/);
    expect(await stateOf('left')).toBe('running');
  });
});
