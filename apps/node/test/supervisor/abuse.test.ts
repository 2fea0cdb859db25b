// Shows that garbage, floods of output, slow agents and full disks neither end nor block a supervisor.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import type { AttemptStatus } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_OUTPUT_LIMITS } from '../../src/supervisor/attempt-output.ts';
import type { SocketSupervisor } from '../../src/supervisor/socket-supervisor.ts';
import { encodeFrame, FrameReader, MAX_FRAME_BYTES } from '../../src/supervisor/wire.ts';
import { until } from '../../src/testing/until.ts';
import { launchOf, logText, statusOf, SupervisorBench, untilEnded, untilState } from './bench.ts';

describe('a socket', () => {
  let bench: SupervisorBench;
  let supervisor: SocketSupervisor;
  beforeAll(async () => {
    bench = new SupervisorBench();
    supervisor = await bench.connect();
    await supervisor.launch(launchOf('witness', 'sleep 60'));
    await untilState(supervisor, 'witness', 'running');
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const connect = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = createConnection(join(bench.folder, 'supervisor.sock'), () => resolve(socket));
      socket.on('error', () => undefined);
    });

  it.each([
    ['text of another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['random bytes', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 251))],
    ['a frame above the limit', frameHead(MAX_FRAME_BYTES + 1)],
    ['a frame of no JSON', Buffer.concat([frameHead(8), Buffer.from([4, 0, 0, 0]), Buffer.from('oops')])],
  ])('with %s is closed, and the others live on', async (_, bytes) => {
    const socket = await connect();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(bytes);
    await closed;
    expect(await statusOf(supervisor, 'witness')).toMatchObject({ state: 'running' });
  });

  it('with requests that make no sense gets an error for each', async () => {
    const socket = await connect();
    const hello = { protocol: 1, oldestProtocol: 1, owner: 'node-1' };
    const requests = [
      { id: 1, method: 'list', params: null },
      { id: 2, method: 'hello', params: hello },
      { id: 3, method: 'constructor', params: {} },
      { id: 4, method: 'launch', params: {} },
      {
        id: 5,
        method: 'launch',
        params: { launch: { ...launchOf('x', 'true'), epoch: { term: -1, counter: 0.5 } } },
      },
      { id: 6, method: 'stop', params: { attemptId: 'witness', graceMs: 'soon' } },
      { id: 7, method: 'readLog', params: { attemptId: 'witness', position: -1, maxBytes: 1 } },
      { id: 8, method: 'exec', params: { attemptId: 'witness', request: { command: 'sh' } } },
      [],
      'text',
      { id: 9, method: 'stats', params: { attemptId: 'witness' } },
    ];
    const answers = collect(socket);
    for (const request of requests) socket.write(encodeFrame(request));
    await until('all were answered', () => answers.length === requests.length);
    const codes = new Map(answers.map(({ id, error }) => [id, error?.code]));
    expect([1, 3, 4, 5, 6, 7, 8].map((id) => codes.get(id))).toEqual(Array(7).fill('supervisor-request'));
    expect([2, 9].map((id) => codes.get(id))).toEqual([undefined, undefined]);
    expect(await statusOf(supervisor, 'witness')).toMatchObject({ state: 'running' });
    socket.destroy();
  });

  it('whose client never reads costs no more than its bound, and no other client waits', async () => {
    const deaf = await connect();
    deaf.pause();
    deaf.write(
      encodeFrame({ id: 1, method: 'hello', params: { protocol: 1, oldestProtocol: 1, owner: 'node-1' } }),
    );
    await supervisor.launch(launchOf('big', 'head -c 3000000 /dev/zero'));
    await untilEnded(supervisor, 'big');
    const request = { method: 'readLog', params: { attemptId: 'big', position: 0, maxBytes: 1_000_000 } };
    const before = rssBytes(supervisor.pid ?? 0);
    for (let id = 2; id < 400; id += 1) deaf.write(encodeFrame({ id, ...request }));
    for (let index = 0; index < 20; index += 1) {
      await supervisor.launch(launchOf(`beside-${index}`, `echo ${index}`));
      expect(await untilEnded(supervisor, `beside-${index}`)).toMatchObject({ exitCode: 0 });
    }
    // 398 MB were asked for.
    expect(rssBytes(supervisor.pid ?? 0) - before).toBeLessThan(60e6);
    const messages = collect(deaf);
    deaf.resume();
    await until('it was told every end after all', () => {
      const told = messages.flatMap(({ statuses = [] }) => statuses);
      const ended = told.filter(
        ({ attemptId, state }) => attemptId.startsWith('beside-') && state === 'exited',
      );
      return new Set(ended.map(({ attemptId }) => attemptId)).size === 20;
    });
    await until('it had every answer', () => messages.filter(({ id = 0 }) => id >= 2).length === 398);
    deaf.destroy();
  });
});

describe('a flood of output', () => {
  it('is bounded, counted and read in time, ends with its last words, and holds nobody else up', async () => {
    await using bench = new SupervisorBench();
    const logBytes = 4 * 1024 * 1024;
    const supervisor = await bench.connect({
      logBytes,
      segmentBytes: 512 * 1024,
      output: { ...DEFAULT_OUTPUT_LIMITS, bytesPerSecond: 1024 * 1024, burstBytes: 8 * 1024 * 1024 },
    });
    const bytes = 100 * 1024 * 1024;
    await supervisor.launch(
      launchOf('flood', `head -c ${bytes} /dev/zero | tr '\\0' 'x'; echo; echo last words`),
    );
    for (let index = 0; index < 5; index += 1) {
      await supervisor.launch(launchOf(`beside-${index}`, 'echo calm'));
      expect(await untilEnded(supervisor, `beside-${index}`)).toMatchObject({ exitCode: 0 });
    }
    expect(await untilEnded(supervisor, 'flood')).toMatchObject({ state: 'exited', exitCode: 0 });
    expect((await logText(supervisor, 'flood')).endsWith('last words\n')).toBe(true);
    const slice = await supervisor.readLog('flood', 0, 1);
    expect(slice.end - slice.position).toBeLessThanOrEqual(logBytes);
    const notices = await logText(supervisor, 'flood', ['notice']);
    expect(notices).toMatch(/\d+ bytes of output were dropped here: more than 1\.0 MiB\/s was printed\./);
  }, 60_000);
});

const noTmpfs = whyNoTmpfs();
describe.skipIf(noTmpfs !== undefined)(`a full disk${noTmpfs ? ` [skipped: ${noTmpfs}]` : ''}`, () => {
  it('refuses launches with the reason, loses output with a word, and all goes on when there is room', async () => {
    await using bench = new SupervisorBench();
    const disk = join(bench.folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    try {
      const supervisor = await bench.connect({ stateFolder: disk });
      const script = 'echo before; while [ ! -e "$GATE" ]; do sleep 0.02; done; echo unheard; exit 3';
      const gate = join(bench.folder, 'gate');
      await supervisor.launch(launchOf('running', script, { env: { GATE: gate } }));
      await until('it prints', async () => (await logText(supervisor, 'running')) === 'before\n');
      fill(disk);

      await expect(supervisor.launch(launchOf('refused', 'true'))).rejects.toMatchObject({
        code: 'supervisor-storage',
        message: expect.stringMatching(/could not write its journal .*no space left.*Free space/) as string,
      });
      expect(await statusOf(supervisor, 'refused')).toBeUndefined();
      writeFileSync(gate, '');
      const end = await untilEnded(supervisor, 'running');
      expect(end).toMatchObject({ state: 'exited', exitCode: 3 });

      rmSync(join(disk, 'filler'));
      await supervisor.launch(launchOf('refused', 'echo now'));
      expect(await untilEnded(supervisor, 'refused')).toMatchObject({ state: 'exited', exitCode: 0 });
      await until('the end is in the journal', () =>
        readFileSync(join(disk, 'supervisor.journal'), 'utf8').includes('"exitCode":3'),
      );
      await supervisor.shutdown({ graceMs: 0 });
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
});

function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize));
  // What is left of the journal's last page.
  const journal = readFileSync(join(disk, 'supervisor.journal')).length;
  writeFileSync(join(disk, 'supervisor.journal'), ' '.repeat(bsize - 1 - (journal % bsize)) + '\n', {
    flag: 'a',
  });
}

function whyNoTmpfs(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  return process.getuid?.() === 0 ? undefined : 'needs root to mount a small tmpfs: sudo npm test';
}

interface Message {
  readonly id?: number;
  readonly error?: { readonly code: string };
  readonly statuses?: readonly AttemptStatus[];
}

function collect(socket: Socket): Message[] {
  const reader = new FrameReader();
  const messages: Message[] = [];
  socket.on('data', (piece: Buffer) => {
    for (const { message } of reader.push(piece)) messages.push(message as Message);
  });
  return messages;
}

function frameHead(length: number): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(length, 0);
  return head;
}

function rssBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}
