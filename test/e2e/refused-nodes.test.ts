// Shows what a clawnode says, and with which exit code it ends, when it is refused or its settings are wrong.
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { BINS, isAlive, Program } from './support/program.ts';
import { RealFleet } from './support/real-fleet.ts';

vi.setConfig({ testTimeout: 120_000 });
const rootMissing = process.getuid?.() === 0 ? '' : ' [skipped: needs root to mount]';

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open();
});
afterAll(() => fleet[Symbol.asyncDispose]());

interface Refusal {
  readonly code: number;
  readonly stderr: string;
}

async function clawnode(home: string, args: readonly string[] = []): Promise<Refusal> {
  const program = new Program(BINS.node, ['--home', home, '--gateway', fleet.client.url, ...args]);
  const code = await program.ended;
  return { code, stderr: program.stderr };
}

async function makeHome(name: string): Promise<string> {
  const home = path.join(fleet.folder, name);
  await mkdir(home, { mode: 0o700 });
  return home;
}

async function withToken(home: string, token: string): Promise<string[]> {
  const file = path.join(home, 'join.token');
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return ['--join-token-file', file];
}

it('a second agent with the name of another: it ends and names the way out, the first is not disturbed', async () => {
  const home = await makeHome('second');
  const { token } = await fleet.client.command('node.token', {});
  const { code, stderr } = await clawnode(home, ['--name', 'node-1', ...(await withToken(home, token))]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/"node-1".*--name/);
  expect(await fleet.node.info()).toMatchObject({ connectivity: 'connected' });
  expect(fleet.node.agent?.isRunning).toBe(true);
});

it('a token that was used, one of another gateway, and text that is no token', async () => {
  const home = await makeHome('tokens');
  const { token } = await fleet.client.command('node.token', {});
  const used = await fleet.addNode({ name: 'uses-it' });
  expect(used.agent?.isRunning).toBe(true);
  const args = await withToken(home, token);
  const first = new Program(BINS.node, [
    ...['--home', await makeHome('takes-it'), '--gateway', fleet.client.url],
    ...['--name', 'takes-it', ...args],
  ]);
  await first.says(/Registered/);
  const again = await clawnode(home, ['--name', 'late', ...args]);
  expect(again.code).toBe(3);
  expect(again.stderr).toMatch(/token/i);
  await first.kill('SIGTERM');

  await using other = await RealFleet.open([]);
  const foreign = (await other.client.command('node.token', {})).token;
  const wrong = await clawnode(home, ['--name', 'lost', ...(await withToken(home, foreign))]);
  expect(wrong.code).toBe(3);
  expect(wrong.stderr).toMatch(/gateway/);

  const garbage = await clawnode(home, await withToken(home, 'no token at all'));
  expect(garbage.code).toBe(5);
  expect(garbage.stderr).toMatch(/join\.token/);
});

it.each([
  ['an unknown key', '[node]\nnmae = "x"\n', /clawnode\.toml.*2.*"?nmae"?.*"?name"?/s],
  ['an unknown table', '[nod]\nname = "x"\n', /clawnode\.toml.*1.*"?nod"?.*"?node"?/s],
  [
    'a value of the wrong type',
    '[metrics]\n\ninterval_secs = "often"\n',
    /clawnode\.toml.*3.*interval_secs/s,
  ],
  ['text that is no TOML', '[node\n', /clawnode\.toml.*1/s],
])('clawnode.toml with %s: file, line and key are named', async (title, content, words) => {
  const home = await makeHome(title.replaceAll(' ', '-'));
  await writeFile(path.join(home, 'clawnode.toml'), content);
  const { code, stderr } = await clawnode(home);
  expect(code).toBe(5);
  expect(stderr).toMatch(words);
  expect(stderr.trim().split('\n').length).toBeLessThan(6);
  expect(stderr).not.toMatch(/\n\s+at /);
});

it('a node that is stopped takes an idle supervisor with it, but not one with work', async () => {
  const node = await fleet.addNode({ name: 'stopped', args: ['--label', 'place=stopped'] });
  const idle = node.supervisorPid ?? 0;
  expect(idle).toBeGreaterThan(0);
  await node.agent?.kill('SIGTERM');
  expect(isAlive(idle)).toBe(false);
  node.start();
  await node.untilConnected();
  const { id } = await fleet.sh('sleep 300', { nodeSelector: { place: 'stopped' } });
  await fleet.untilState(id, 'running');
  const busy = node.supervisorPid ?? 0;
  expect(await node.agent?.kill('SIGTERM')).toBe(0);
  expect(isAlive(busy)).toBe(true);
  node.start();
  await node.untilConnected();
  expect(node.supervisorPid).toBe(busy);
  await fleet.stop(id, { force: true });
  await fleet.end(id);
});

it('a damaged file of the node is named, with what to do, and no process stays', async () => {
  const node = await fleet.addNode({ name: 'damaged' });
  await node.agent?.kill('SIGTERM');
  for (const file of ['membership.json', 'node.key']) {
    const damaged = path.join(node.home, 'node', file);
    const whole = await readFile(damaged);
    await writeFile(damaged, '{');
    const agent = node.start();
    expect(await agent.ended).toBe(1);
    expect(agent.stderr).toMatch(/ove it away/);
    expect(agent.stderr).toContain(damaged);
    expect(node.supervisorPid).toBeUndefined();
    await writeFile(damaged, whole);
  }
});

it('a second clawnode on the same home says which process has it', async () => {
  const { code, stderr } = await clawnode(fleet.node.home, ['--name', 'other']);
  expect(code).toBe(1);
  expect(stderr).toContain(String(fleet.node.agent?.pid));
  expect(await fleet.node.info()).toMatchObject({ connectivity: 'connected' });
});

it('a home that is a file', async () => {
  const home = path.join(fleet.folder, 'file');
  await writeFile(home, '');
  const { code, stderr } = await clawnode(home);
  expect(code).toBeGreaterThan(0);
  expect(stderr).toContain(home);
  expect(stderr).not.toMatch(/\n\s+at /);
});

it.skipIf(rootMissing !== '')(`a home on a read-only file system${rootMissing}`, async () => {
  const home = await makeHome('read-only');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', home]);
  try {
    const { code, stderr } = await clawnode(home);
    expect(code).toBe(1);
    expect(stderr).toMatch(/read-only.*(EROFS|writable)/s);
    expect(stderr).not.toMatch(/\n\s+at /);
  } finally {
    execFileSync('umount', [home]);
  }
});

it('a gateway that is not there, when told not to try for ever', async () => {
  const home = await makeHome('lonely');
  const config = '[node]\nreconnect_interval_secs = 0.1\nmax_reconnect_attempts = 2\n';
  await writeFile(path.join(home, 'clawnode.toml'), config);
  const program = new Program(BINS.node, ['--home', home, '--gateway', '127.0.0.1:1']);
  expect(await program.ended).toBe(2);
  expect(program.stderr).toMatch(/127\.0\.0\.1:1.*Check/s);
});
