// Shows the adapters to the real machine: the membership file, the logger, and WebSockets over TLS.
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock as clock } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { FileMembershipStore } from '../../src/platform/file-membership-store.ts';
import { openLineLogger } from '../../src/platform/line-logger.ts';
import { tlsOptions, WebSocketChannel } from '../../src/platform/web-socket-channel.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'claw-platform-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('membership file', () => {
  const membership = { gatewayId: 'gw-1', gatewayPublicKey: '00', grant: 'AA==' };

  test('is read as it was saved, privately, and replaced whole', async () => {
    const file = path.join(folder, 'deep', 'membership.json');
    const store = new FileMembershipStore(file);
    expect(await store.load()).toBeUndefined();
    await store.save({ gatewayId: 'gw-0', gatewayPublicKey: '11' });
    expect(await store.load()).toEqual({ gatewayId: 'gw-0', gatewayPublicKey: '11' });
    await store.save(membership);
    expect(await new FileMembershipStore(file).load()).toEqual(membership);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(path.dirname(file))).toEqual(['membership.json']);
  });

  test.each(['', '{', '{"gatewayId": 3}'])(
    'damaged content (%j) is refused with what to do',
    async (content) => {
      const file = path.join(folder, 'membership.json');
      await writeFile(file, content);
      await expect(new FileMembershipStore(file).load()).rejects.toThrow(`${file} is damaged. Move it away`);
    },
  );

  test('a place that cannot be written rejects', async () => {
    await writeFile(path.join(folder, 'file'), '');
    const store = new FileMembershipStore(path.join(folder, 'file', 'membership.json'));
    await expect(store.save(membership)).rejects.toThrow(/EEXIST|ENOTDIR/);
  });
});

describe('line logger', () => {
  const at = (format: 'json' | 'text') => {
    const lines: string[] = [];
    const deps = { nowMs: () => 0, write: (line: string) => void lines.push(line) };
    return { lines, logger: openLineLogger(deps, { level: 'info', format }) };
  };

  test('writes JSON lines with the facts of its parents, and nothing below its level', () => {
    const { lines, logger } = at('json');
    logger.debug('hidden');
    logger.child({ node: 'n' }).warn('Seen', { count: 3n });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { time: '1970-01-01T00:00:00.000Z', level: 'warn', msg: 'Seen', node: 'n', count: '3' },
    ]);
  });

  test('text for people never passes on control characters', () => {
    const { lines, logger } = at('text');
    logger.error('Bad', { from: 'a\u001b[2Jb\n', url: 'ws://x:1/node' });
    expect(lines).toEqual(['00:00:00 error Bad from="a\\u001b[2Jb\\n" url=ws://x:1/node\n']);
  });
});

const missing =
  spawnSync('openssl', ['version']).status === 0 ? undefined : 'openssl: apt-get install openssl';
describe.skipIf(missing)(`TLS${missing ? ` [skipped: needs ${missing}]` : ''}`, () => {
  const pem = (name: string): string => path.join(folder, name);

  /** A certificate authority, a server and a client that it vouches for. */
  function issue(): void {
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      pem('ca.key'),
      '-out',
      pem('ca.pem'),
      '-subj',
      '/CN=ca',
      '-days',
      '2',
    );
    for (const name of ['server', 'client']) {
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
      openssl('req', ...key, '-keyout', pem(`${name}.key`), '-out', pem(`${name}.csr`), ...subject);
      const ca = ['-CA', pem('ca.pem'), '-CAkey', pem('ca.key'), '-CAcreateserial', '-days', '2'];
      openssl(
        'x509',
        '-req',
        '-in',
        pem(`${name}.csr`),
        ...ca,
        '-copy_extensions',
        'copy',
        '-out',
        pem(`${name}.pem`),
      );
    }
  }

  test('a server of an unknown authority is refused, and a client without a certificate is, too', async () => {
    issue();
    const [key, cert, ca] = ['server.key', 'server.pem', 'ca.pem'].map((name) => readFileSync(pem(name)));
    await using stack = new AsyncDisposableStack();
    const server = createServer({
      key: String(key),
      cert: String(cert),
      ca: String(ca),
      requestCert: true,
      rejectUnauthorized: true,
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => socket.send(Buffer.from('welcome')));
    stack.defer(() => new Promise((resolve) => server.close(() => resolve())));
    stack.defer(() => sockets.clients.forEach((client) => client.terminate()));
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const address = server.address();
    const url = `wss://localhost:${typeof address === 'object' && address ? address.port : 0}/node`;
    const open = async (files: Parameters<typeof tlsOptions>[0]) =>
      WebSocketChannel.open({ clock }, url, await tlsOptions(files), {});

    await expect(open({})).rejects.toThrow(/certificate/);
    await expect(open({ caCert: pem('ca.pem') })).rejects.toMatchObject({ code: 'connect-failed' });
    const files = { caCert: pem('ca.pem'), clientCert: pem('client.pem'), clientKey: pem('client.key') };
    const channel = await open(files);
    const frame = await new Promise<Uint8Array>((resolve) => channel.onFrame(resolve));
    expect(Buffer.from(frame).toString()).toBe('welcome');
    channel.close(1000, 'done');
  });

  test('a certificate file that is not there is named', async () => {
    await expect(tlsOptions({ caCert: pem('absent.pem') })).rejects.toThrow(
      /absent\.pem, named in \[tls\], cannot be read: ENOENT/,
    );
  });
});

test('a gateway that is heard but has no time for pings is not cut off, one that is not heard is', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, autoPong: false });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const virtual = new VirtualClock();
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const channel = await WebSocketChannel.open({ clock: virtual }, url, {}, {});
  const [gateway] = (await accepted) as [WebSocket];
  let frames = 0;
  channel.onFrame(() => (frames += 1));
  const closed = new Promise<number>((resolve) => channel.onClose((code) => resolve(code)));
  for (let period = 1; period <= 5; period += 1) {
    gateway.send(Buffer.from('frame'));
    await expect.poll(() => frames).toBe(period);
    await virtual.advance(15_000);
  }
  expect(gateway.readyState).toBe(WebSocket.OPEN);
  await virtual.advance(30_000);
  expect(await closed).toBe(1006);
});
