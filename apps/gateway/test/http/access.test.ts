// Shows the edge of the API: who is let in, and that every malformed request is answered with a code and a
// sentence, never with an inside of the gateway.
import { API_ERROR_CODES, COMMAND_NAMES } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { ApiClient } from '../support/api-client.ts';
import { joinFleet } from '../support/join-fleet.ts';
import { openForFile, type LocalGateway } from '../support/local-gateway.ts';
import { rawSocket, readToEnd, upgradeRequest } from '../support/raw-socket.ts';

let gateway: LocalGateway;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ gateway, close } = await openForFile());
});
afterAll(() => close());

const GUARDED = [
  ['POST', '/api/commands/node.list'],
  ['GET', '/api/workloads/any/logs'],
  ['GET', '/api/events'],
  ['GET', '/api/openapi.json'],
  ['GET', '/metrics'],
] as const;

describe('access', () => {
  test.each(GUARDED)('%s %s needs the token, and says how to send it', async (method, path) => {
    const without = await fetch(`${gateway.api.url}${path}`, { method });
    expect(without.status).toBe(401);
    const refused = (await without.json()) as { code: string; message: string };
    expect(refused.code).toBe('unauthenticated');
    expect(refused.message).toContain('Authorization: Bearer');
    const wrong = await new ApiClient(gateway.api.url, 'claw_wrong').fetch(path, { method });
    expect([wrong.status, ((await wrong.json()) as { code: string }).code]).toEqual([401, 'unauthenticated']);
  });

  test.each([
    ['no token', {}],
    ['a wrong one', { authorization: 'Bearer claw_wrong' }],
    ['another scheme', { authorization: 'Basic b3duZXI6' }],
  ])('live updates with %s are refused before the upgrade', async (_what, headers) => {
    const socket = new WebSocket(`${gateway.api.url.replace('http', 'ws')}/api/ws`, { headers });
    socket.on('error', () => undefined);
    // The arguments of ws's event.
    const [, reply] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(reply.statusCode).toBe(401);
    const chunks = await reply.toArray();
    expect(JSON.parse(chunks.join(''))).toMatchObject({ code: 'unauthenticated' });
  });

  test('liveness and readiness need none, and tell nothing', async () => {
    const health = await fetch(`${gateway.api.url}/healthz`);
    expect([health.status, await health.json()]).toMatchObject([200, { status: 'ok' }]);
    const ready = await fetch(`${gateway.api.url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ready' }]);
  });
});

describe('requests that make no sense', () => {
  test('an unknown command is answered with the nearest one', async () => {
    expect(await gateway.api.refusal('workload.rnu', {})).toMatchObject({
      status: 404,
      code: 'unknown-command',
      message: 'There is no command "workload.rnu". Did you mean "workload.run"?',
    });
    expect((await gateway.api.refusal('toString', {})).code).toBe('unknown-command');
    expect((await gateway.api.refusal('x'.repeat(100), {})).message.length).toBeLessThan(200);
  });

  test('every wrong field is named with its path', async () => {
    const spec = { command: [], env: { '1BAD': 'x' }, resources: { gpus: -1, gpuz: 2 }, timeoutMs: 'soon' };
    const { status, code, issues } = await gateway.api.refusal('workload.run', { spec, waitMs: 1e9 });
    expect([status, code]).toEqual([400, 'invalid-input']);
    const paths = issues?.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        'spec.env.1BAD',
        'spec.resources.gpus',
        'spec.resources',
        'spec.timeoutMs',
        'waitMs',
      ]),
    );
    expect(issues?.every(({ message }) => message.length > 0)).toBe(true);
  });

  test.each([
    ['a command with a NUL', 'workload.run', { spec: { command: ['a\0b'] } }],
    ['half a surrogate pair', 'workload.run', { spec: { command: ['\ud800'] } }],
    ['a number beyond any', 'config.create', '{"key":"k","value":1e999}'],
    [
      'nesting without end',
      'config.create',
      `{"key":"k","value":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
    ],
    ['a list', 'node.list', []],
    ['a word', 'node.list', '"x"'],
    ['a prototype', 'node.list', '{"__proto__":{"limit":1}}'],
    ['broken JSON', 'node.list', '{"limit":'],
    ['an empty body that says it is JSON', 'node.list', ''],
  ])('%s is invalid input, not a failure of the gateway', async (_what, name, input) => {
    const body = typeof input === 'string' ? input : JSON.stringify(input);
    const { status, body: refused } = await gateway.api.post(name, body);
    expect([status, refused.code]).toEqual([400, 'invalid-input']);
    expect(refused.message).not.toBe('');
  });

  test('what a node would be asked to run is checked as well as a workload', async () => {
    const { node } = await joinFleet(gateway, 'checked');
    for (const input of [{ command: ['a\0b'] }, { command: [''] }, { command: ['x'], env: { '=': 'y' } }])
      expect(await gateway.api.refusal('system.run', { node: 'checked', ...input })).toMatchObject({
        status: 400,
        code: 'invalid-input',
      });
    node.socket.close();
  });

  test('another kind of content is refused', async () => {
    const { status, body } = await gateway.api.post('node.list', '<x/>', { 'content-type': 'text/xml' });
    expect([status, body.code]).toEqual([400, 'invalid-input']);
  });

  test('a body over the limit is refused, with the limit', async () => {
    const { status, body } = await gateway.api.post(
      'config.create',
      JSON.stringify({ key: 'x'.repeat(1_100_000) }),
    );
    expect([status, body.code]).toEqual([413, 'too-large']);
    expect(body.message).toContain('1048576');
  });

  test.each([
    '/',
    '/api',
    '/api/commands',
    '/api/nothing',
    '/api/workloads/%zz/logs',
    `/api/workloads/${'x'.repeat(200)}/logs`,
  ])('there is nothing at %s', async (path) => {
    const reply = await gateway.api.fetch(path);
    const { code, message } = (await reply.json()) as { code: string; message: string };
    expect(reply.status).toBe(code === 'not-found' ? 404 : 400);
    expect(['not-found', 'invalid-input']).toContain(code);
    expect(message).not.toBe('');
  });

  test('bytes that are no HTTP end their connection only', async () => {
    const socket = await rawSocket(gateway.api.url);
    socket.write('\0\0\0 nonsense\r\n\r\n');
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 400 /);
    const smuggler = await rawSocket(gateway.api.url);
    smuggler.write(
      'POST /api/commands/node.list HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    expect(await readToEnd(smuggler)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('a WebSocket elsewhere is refused with a sentence', async () => {
    const socket = await rawSocket(gateway.api.url);
    socket.write(upgradeRequest('/api/nodes'));
    const reply = await readToEnd(socket);
    expect(reply).toMatch(/^HTTP\/1\.1 404 /);
    expect(JSON.parse(reply.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'not-found' });
  });
});

describe('descriptions', () => {
  test('OpenAPI names every command with its schemas, and only codes that exist', async () => {
    const document = (await (await gateway.api.fetch('/api/openapi.json')).json()) as {
      openapi: string;
      info: { title: string; version: string };
      paths: Record<
        string,
        { post: { requestBody: object; responses: Record<string, { description: string }> } }
      >;
    };
    expect(document.openapi).toBe('3.1.0');
    expect(document.info.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(Object.keys(document.paths).toSorted()).toEqual(
      COMMAND_NAMES.map((name) => `/api/commands/${name}`).toSorted(),
    );
    for (const { post } of Object.values(document.paths)) {
      expect(post).toMatchObject({
        operationId: expect.any(String),
        requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
        responses: { 200: { content: { 'application/json': { schema: { type: 'object' } } } } },
      });
      const { 200: _done, ...failures } = post.responses;
      const codes = Object.values(failures).flatMap(({ description }) => description.split(', '));
      for (const code of codes) expect(API_ERROR_CODES).toContain(code);
    }
  });

  test('metrics are in the Prometheus text format, whatever nodes are called', async () => {
    const { node } = await joinFleet(gateway, 'metered', { gpus: 2 });
    node.send({
      case: 'heartbeat',
      value: { gpus: [{ deviceId: 'odd "name"\\\n', utilizationPercent: 12.5, memoryUsedMib: 7n }] },
    });
    await node.settle();
    node.send({
      case: 'heartbeat',
      value: { gpus: [{ deviceId: 'odd "name"\\\n', utilizationPercent: 12.5, memoryUsedMib: 7n }] },
    });
    await node.next('leaseGrant');
    const text = await (await gateway.api.fetch('/metrics')).text();
    const sample =
      /^[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})? -?[0-9.e+]+$/;
    for (const line of text.trimEnd().split('\n')) if (!line.startsWith('# ')) expect(line).toMatch(sample);
    expect(text).toContain('clawbernetes_gpus{state="free"} 2');
    expect(text).toContain(String.raw`{node="metered",gpu="odd \"name\"\\\n"} 12.5`);
    node.socket.close();
  });
});
