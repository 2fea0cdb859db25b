// Shows what `up` starts, how it ends everything it started, and what it says when it cannot.
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import type { NodeView } from '@clawbernetes/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { CliProcess, eventually, makeHome, removeHome, runCli } from './cli-process.ts';
import { livingProcesses } from './living-processes.ts';
import { TestFleet } from './test-fleet.ts';

const homes: string[] = [];
const fleets: TestFleet[] = [];
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet[Symbol.asyncDispose]();
  for (const home of homes.splice(0)) {
    await runCli(['down'], { home });
    await removeHome(home);
  }
});

async function open(...options: string[]): Promise<TestFleet> {
  const fleet = await TestFleet.open(...options);
  fleets.push(fleet);
  return fleet;
}

async function newHome(): Promise<string> {
  const made = await makeHome();
  homes.push(made);
  return made;
}

interface UpRecord {
  readonly gateway: { readonly pid: number };
  readonly node: { readonly pid: number };
}

async function recordOf(folder: string): Promise<UpRecord> {
  return JSON.parse(await readFile(path.join(folder, 'up.json'), 'utf8')) as UpRecord;
}

describe('up --once', () => {
  it('runs a first workload, shows it, and leaves nothing behind', async () => {
    const folder = await newHome();
    const { code, stdout, stderr } = await runCli(['up', '--once', '--port', '0'], { home: folder });
    expect(stderr).toMatch(/✓ The gateway answers at http:\/\/127\.0\.0\.1:\d+/);
    expect(stdout).toMatch(/CPU +\d+ cores/);
    expect(stdout).toMatch(/128 of 128 MiB[\s\S]*[0-9a-f]{64}[\s\S]*hashed at \d+ MiB\/s/);
    expect(stderr).toMatch(/first-workload succeeded \(exit code 0\)/);
    expect(code).toBe(0);
    expect(await livingProcesses(folder)).toEqual([]);
  });

  it('starts again on the same home: the node is known, and no token is needed', async () => {
    const folder = await newHome();
    await runCli(['up', '--once', '--port', '0'], { home: folder });
    const again = await runCli(['up', '--once', '--port', '0'], { home: folder });
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('hashed at') });
  });
});

describe('a running up', () => {
  it('ends work, node and gateway on SIGTERM, and nothing is left', async () => {
    const fleet = await open();
    await fleet.run(['run', '-d', '--name', 'endless', '--', 'sleep', '1000']);
    await eventually(
      async () => (await fleet.run(['workload', 'status', 'endless'])).stdout.includes('running'),
      () => '',
    );
    expect((await livingProcesses(fleet.home)).length).toBeGreaterThan(3);
    fleet.up.kill('SIGTERM');
    const { code, stderr } = await fleet.up.result;
    expect(code).toBe(0);
    const order = [
      'Stopping 1 workload',
      'All work has stopped',
      'Stopping the node',
      'Stopping the gateway',
    ];
    expect(order.map((line) => stderr.indexOf(line))).toEqual(
      order.map((line) => stderr.indexOf(line)).toSorted((a, b) => a - b),
    );
    expect(stderr).toContain('All work has stopped');
    expect(await livingProcesses(fleet.home)).toEqual([]);
  });

  it('leaves what waits in the queue and the node undrained for the next time', async () => {
    const fleet = await open('--simulate-gpus', '1xH100');
    await fleet.run(['run', '-d', '--name', 'holder', '--gpus', '1', '--', 'sleep', '1000']);
    await fleet.run(['run', '-d', '--name', 'waiter', '--gpus', '1', '--', 'true']);
    expect(await fleet.run(['down'])).toMatchObject({ code: 0 });
    await fleet.up.result;
    const up = new CliProcess(['up', '--port', '0', '-f', 'json', '--simulate-gpus', '1xH100'], {
      home: fleet.home,
    });
    await up.until(({ stdout, ended }) => ended || stdout.endsWith('}\n'));
    const { node } = JSON.parse(up.stdout) as { readonly node: NodeView };
    expect(node.eligibility).toBe('schedulable');
    const state = async (name: string): Promise<string> =>
      (await fleet.run(['workload', 'status', name])).stdout;
    await eventually(
      async () => (await state('waiter')).includes('succeeded'),
      () => 'waiter never ran',
    );
    expect(await state('holder')).toContain('cancelled');
    up.kill('SIGTERM');
    await up.result;
  });

  it('refuses a second one and says how to reach the first', async () => {
    const fleet = await open();
    const second = await fleet.run(['up', '--port', '0']);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/already runs here: http:\/\/127\.0\.0\.1:\d+ \(pid \d+/);
    expect(second.stderr).toContain('status');
  });

  it('that loses its node says which child, why and where its log is, and ends the rest', async () => {
    const fleet = await open();
    process.kill((await recordOf(fleet.home)).node.pid, 'SIGKILL');
    const { code, stderr } = await fleet.up.result;
    expect(code).toBe(1);
    expect(stderr).toMatch(/The node ended by itself \(SIGKILL\)/);
    expect(stderr).toContain(path.join(fleet.home, 'node', 'node.log'));
    expect(await livingProcesses(fleet.home)).toEqual([]);
  });

  it('that was killed leaves its children to "down"', async () => {
    const fleet = await open();
    fleet.up.kill('SIGKILL');
    await fleet.up.result;
    expect(await fleet.run(['status'])).toMatchObject({ code: 0 });
    expect(await fleet.run(['down'])).toMatchObject({ code: 0 });
    expect(await livingProcesses(fleet.home)).toEqual([]);
  });

  it('does not wait for stubborn work after a second signal', async () => {
    const fleet = await open();
    await fleet.run([
      'run',
      '-d',
      '--name',
      'stubborn',
      '--stop-grace',
      '1h',
      '--',
      'sh',
      '-c',
      'trap "" TERM; while :; do sleep 1; done',
    ]);
    await eventually(
      async () => (await fleet.run(['workload', 'status', 'stubborn'])).stdout.includes('running'),
      () => '',
    );
    fleet.up.kill('SIGTERM');
    await fleet.up.until(({ stderr }) => stderr.includes('still stopping'));
    fleet.up.kill('SIGTERM');
    expect(await fleet.up.result).toMatchObject({ code: 0 });
    expect(await livingProcesses(fleet.home)).toEqual([]);
  });
});

describe('up that cannot start', () => {
  it('names a port that is in use and another way', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const { code, stderr } = await runCli(['up', '--port', String(port)], { home: await newHome() });
      expect(code).toBe(1);
      expect(stderr).toContain(`Port ${port} on 127.0.0.1 is used by another program. Choose another port`);
    } finally {
      server.close();
    }
  });

  it('shows what a child said that refused to start', async () => {
    const folder = await newHome();
    const { code, stderr } = await runCli(['up', '--port', '0', '--simulate-gpus', 'lots'], { home: folder });
    expect(code).toBe(5);
    expect(stderr).toMatch(/The node ended by itself[\s\S]*lots/);
    expect(await livingProcesses(folder)).toEqual([]);
  });
});
