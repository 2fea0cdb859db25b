// Shows how the command answers mistakes in its arguments: exit code 5 and one message with the nearest right
// word.
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asTyped } from '../../src/output/phrases.ts';
import { makeHome, removeHome, runCli, type CliResult } from './cli-process.ts';

let home = '';
beforeAll(async () => {
  home = await makeHome();
});
afterAll(() => removeHome(home));

/** A port of this machine where nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const cli = (...args: string[]): Promise<CliResult> => runCli(args, { home });

const MISTAKES: readonly (readonly [args: string, says: RegExp])[] = [
  ['run --gpu 1 -- true', /unknown option --gpu; did you mean --gpus\?/],
  ['statu', /unknown command statu; did you mean status\?/],
  ['workload show', /missing required argument 'workload'\.\nSee ".*workload show --help"/],
  ['node lst', /unknown command lst; did you mean list\?\nSee ".*clawbernetes node --help"/],
  ['logs train', /unknown command logs; did you mean workload logs\?\nSee ".*clawbernetes --help"/],
  ['drain gpu-1', /unknown command drain; did you mean node drain\?/],
  ['queue --weight 2', /unknown option --weight.*\nSee ".*clawbernetes queue --help"/],
  ['run --gpus many -- true', /--gpus <count>.*whole number/],
  ['run --memory lots -- true', /512m or 2g/],
  ['run --timeout soon -- true', /"soon" is not a duration/],
  ['run --sandbox require -- true', /did you mean required\?/],
  ['run --mount a:b:c:d -- true', /"a:b:c:d" is not a mount/],
  ['run', /What to run is missing/],
  ['run python3 train.py', /run -- python3 train\.py" runs it as a process.*in the container image python3/],
  ['exec job ps', /Put "--" before the program: npx clawbernetes exec job -- ps/],
  ['node info', /missing required argument 'node'/],
  ['node list -- x', /takes nothing after "--"/],
  ['invoke node.inf {}', /no command "node\.inf"; did you mean node\.info\?/],
  ['invoke node.info {oops', /not JSON/],
  ['status --format yaml', /format/],
  ['events -f json', /-f means --follow here; write --format json/],
  ['completion tcsh', /one of bash, zsh, fish/],
  ['-g http:// status', /not the address of a gateway/],
  ['workload list --state runing', /did you mean running\?/],
];

describe('mistaken arguments', () => {
  it.each(MISTAKES)('%s', async (args, says) => {
    const { code, stdout, stderr } = await cli(...args.split(' '));
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(/^(error: |\{"error")/);
    expect(code).toBe(5);
    expect(stdout).toBe('');
  });

  it('are reported as JSON on request', async () => {
    const { code, stderr } = await cli('statu', '-f', 'json');
    expect(code).toBe(5);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'invalid-arguments', exitCode: 5 } });
  });
});

describe('without a gateway', () => {
  it('says where none answers and how to start one, with exit code 2', async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const { code, stderr } = await cli('status', '-g', url);
    expect(code).toBe(2);
    expect(stderr).toContain(`${url}: nothing listens there`);
    expect(stderr).toContain('clawbernetes up');
  });

  it('a foreground run that could not start has exit code 125, a detached one 2', async () => {
    const nowhere = ['-g', `127.0.0.1:${await closedPort()}`];
    expect(await cli('run', ...nowhere, '--', 'true')).toMatchObject({ code: 125 });
    expect(await cli('run', '-d', ...nowhere, '--', 'true')).toMatchObject({ code: 2 });
  });

  it('prints version, help and its commands', async () => {
    expect(await cli('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    const help = await cli('run', '--help');
    expect(help).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Examples:\n  $ clawbernetes run'),
    });
    expect(await cli()).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: clawbernetes') });
    expect(await cli('node')).toMatchObject({ code: 5, stderr: expect.stringContaining('drain') });
    const { commands } = JSON.parse((await cli('invoke', '--list', '-f', 'json')).stdout) as {
      commands: unknown[];
    };
    expect(commands.length).toBeGreaterThan(20);
  });

  it('down says that nothing runs, and token that there is none yet', async () => {
    expect(await cli('down')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Nothing runs here'),
    });
    expect(await cli('token')).toMatchObject({ code: 1, stderr: expect.stringContaining('clawbernetes up') });
  });
});

it('names every command in messages as it is typed', async () => {
  const { stdout } = await cli('--help');
  const [, list = ''] = stdout.split('Commands:\n');
  const commands = Array.from(list.matchAll(/^ {2}([a-z-]+) /gm), ([, name]) => `clawbernetes ${name}`);
  expect(commands.length).toBeGreaterThan(15);
  for (const command of commands) expect(asTyped(command, 'npx clawbernetes')).toBe(`npx ${command}`);
});
