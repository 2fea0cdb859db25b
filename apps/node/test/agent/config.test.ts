// Shows that clawnode's configuration is read once, in the right order, and that a slip is named with its
// line and remedy.
import { createJoinToken, generateKeyPair } from '@clawbernetes/identity';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseConfigFile } from '../../src/config/config-file.ts';
import { tomlLine } from '../../src/config/toml-line.ts';
import { isPlaintextBeyondLoopback, parseConfig, type NodeConfig } from '../../src/config.ts';
import { exitCodeOf } from '../../src/errors.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'claw-config-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** @param uid of the process that would read it. */
function parsed(
  argv: readonly string[],
  environment: Record<string, string> = {},
  uid = process.getuid?.(),
): NodeConfig {
  const result = parseConfig(['--home', home, ...argv], environment, uid);
  if (result.kind !== 'run') throw new Error(`parsed as ${result.kind}`);
  return result.config;
}

async function file(text: string, name = 'clawnode.toml'): Promise<string> {
  const at = path.join(home, name);
  await writeFile(at, text);
  return at;
}

describe('sources', () => {
  test('without any, the defaults hold', () => {
    const config = parsed([]);
    expect(config.node).toMatchObject({
      gatewayUrl: 'ws://127.0.0.1:8080/node',
      reconnectIntervalMs: 30_000,
      metricsIntervalMs: 10_000,
      labels: {},
    });
    expect(config.node.name).toMatch(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
    expect(hostname().toLowerCase()).toContain(config.node.name.split('-')[0]);
    expect(config.node.maxReconnectAttempts).toBeUndefined();
    expect(config.folder).toBe(path.join(home, 'node'));
  });

  test('flags win over the environment, that over the file', async () => {
    await file('[node]\nname = "of-file"\ngateway = "file-host"\nlabels = { zone = "a", rack = "1" }\n');
    expect(parsed([]).node).toMatchObject({ name: 'of-file', gatewayUrl: 'ws://file-host:8080/node' });
    const environment = { CLAWNODE_NAME: 'of-env', CLAWNODE_GATEWAY: 'https://env-host/' };
    expect(parsed([], environment).node).toMatchObject({
      name: 'of-env',
      gatewayUrl: 'wss://env-host/node',
    });
    const argv = ['--name', 'of-flag', '--gateway', 'ws://flag-host:1/other', '--label', 'zone=b=c'];
    expect(parsed(argv, environment).node).toMatchObject({
      name: 'of-flag',
      gatewayUrl: 'ws://flag-host:1/other',
      labels: { zone: 'b=c', rack: '1' },
    });
  });

  test('every documented key is taken', async () => {
    const at = await file(`
features = ["core"]
[node]
name = "n1"
gateway = "head:9000"
reconnect_interval_secs = 5
max_reconnect_attempts = 3
[node.labels]
zone = "a"
[gpu]
auto_detect = false
gpus = ["GPU-1", 2]
memory_alert_threshold = 80
[metrics]
interval_secs = 15
detailed_gpu_metrics = false
[network]
[workloads]
run_as = "4242:4343"
scratch_folder = "/srv/scratch"
log_mib_per_second = 0.5
[tls]
ca_cert = "ca.pem"
client_cert = "/etc/c.pem"
client_key = "k.pem"
[logging]
level = "warn"
format = "text"
`);
    expect(parsed([], {}, 0)).toMatchObject({
      workloads: {
        allowUnsandboxed: false,
        runAs: { uid: 4242, gid: 4343 },
        scratchFolder: '/srv/scratch',
        logBytesPerSecond: 512 * 1024,
      },
      node: {
        name: 'n1',
        gatewayUrl: 'ws://head:9000/node',
        labels: { zone: 'a' },
        reconnectIntervalMs: 5000,
        maxReconnectAttempts: 3,
        metricsIntervalMs: 15_000,
        detailedGpuMetrics: false,
        memoryAlertPercent: 80,
        features: { features: ['core'], source: at },
      },
      gpu: { autoDetect: false, only: ['GPU-1', 2] },
      tls: {
        caCert: path.join(home, 'ca.pem'),
        clientCert: '/etc/c.pem',
        clientKey: path.join(home, 'k.pem'),
      },
      logging: { level: 'warn', format: 'text' },
    });
  });

  test('a flag names the user of workloads, for root only', async () => {
    await file('[workloads]\nrun_as = "1:2"\n');
    expect(parsed(['--run-as', '3:4'], {}, 0).workloads.runAs).toEqual({ uid: 3, gid: 4 });
    expect(() => parsed(['--run-as', '3:4'], {}, 1000)).toThrow('only root can run workloads as another');
    expect(() => parsed(['--run-as', 'no-such-user'], {}, 0)).toThrow('no user "no-such-user"');
  });

  test('the file may be elsewhere, and one that was named must be there', async () => {
    const other = await file('[node]\nname = "other"', 'other.toml');
    expect(parsed(['--config', other]).node.name).toBe('other');
    expect(parsed([], { CLAWNODE_CONFIG: other }).node.name).toBe('other');
    expect(() => parsed(['--config', path.join(home, 'absent.toml')])).toThrow(/absent.toml cannot be read/);
  });

  test('a join token is checked where it is read, and may be gone once the node has joined', async () => {
    const { token } = createJoinToken({ gatewayPublicKey: generateKeyPair().publicKey });
    const at = await file(`${token}\n`, 'token');
    expect(parsed(['--join-token-file', at]).node.joinToken).toBe(token);
    await file('nonsense', 'token');
    expect(() => parsed(['--join-token-file', at])).toThrow(/token: That is not a join token/);
    await rm(at);
    expect(() => parsed(['--join-token-file', at])).toThrow(/cannot be read/);
    await file('', 'placeholder');
    const folder = path.join(home, 'node');
    await import('node:fs/promises').then(({ mkdir }) => mkdir(folder));
    await writeFile(path.join(folder, 'membership.json'), '{}');
    expect(parsed(['--join-token-file', at]).node.joinToken).toBeUndefined();
  });
});

describe('slips in the file', () => {
  const message = (text: string): string => {
    try {
      parseConfigFile('clawnode.toml', text);
    } catch (error) {
      expect(exitCodeOf(error)).toBe(5);
      return error instanceof Error ? error.message : '';
    }
    return 'no error';
  };

  test.each([
    [
      'unknown key',
      '[node]\nname = "a"\ngatway = "x"',
      'clawnode.toml:3: unknown key "gatway" in [node]. Did you mean "gateway"?',
    ],
    [
      'unknown table',
      '# hi\n\n[loging]\nlevel = "info"',
      'clawnode.toml:3: unknown table [loging]. Did you mean "logging"?',
    ],
    ['a key without its table', 'name = "a"', 'clawnode.toml:1: "name" belongs into the table [node].'],
    [
      'a key in another table',
      '[node]\n\ninterval_secs = 3',
      'clawnode.toml:3: "interval_secs" belongs into [metrics], not [node].',
    ],
    [
      'features below a table',
      '[node]\nname = "a"\nfeatures = []',
      'clawnode.toml:3: "features" belongs at the top of the file, before the first table.',
    ],
    [
      'a wrong type',
      '[metrics]\n  interval_secs = "ten"',
      'clawnode.toml:2: interval_secs in [metrics] must be a number of seconds from 1 to 3600; it is "ten".',
    ],
    ['a wrong name', '[node]\nname = "No Good"', 'clawnode.toml:2: name in [node] must be 1–63 of a–z'],
    [
      'an unknown feature',
      '\nfeatures = ["core", "confg"]',
      'clawnode.toml:2: features must be a list of core',
    ],
    ['a table that is none', 'gpu = 3', 'clawnode.toml:1: "gpu" must be a table; write [gpu].'],
    [
      'the market',
      '[node]\n[molt]\nmin_price = 1',
      'clawnode.toml:2: [molt] comes with the compute market and is not supported by this version; remove it.',
    ],
    [
      'the policy of the market',
      '[molt.policy]\nx = 1',
      'clawnode.toml:1: [molt] comes with the compute market',
    ],
    [
      'network settings',
      '[network]\nwireguard = true',
      'clawnode.toml:2: unknown key "wireguard"; [network] has no settings in this version.',
    ],
    [
      'a dotted key',
      'node.gatewy = "x"',
      'clawnode.toml:1: unknown key "gatewy" in [node]. Did you mean "gateway"?',
    ],
    ['broken TOML', '[node]\nname = \n', 'clawnode.toml:2: this is not valid TOML:'],
    [
      'nothing near',
      '[tls]\nzzzzzzz = 1',
      'clawnode.toml:2: unknown key "zzzzzzz" in [tls]. Known keys: ca_cert, client_cert, client_key.',
    ],
  ])('%s', (_what, text, expected) => {
    expect(message(text).slice(0, expected.length)).toBe(expected);
    expect(message(text)).not.toContain('\n');
  });

  test('the feature that was probably meant is named', () => {
    expect(message('features = ["confg"]')).toContain('Did you mean "config"?');
  });

  test('any text is parsed or refused in one line of words', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('[', ']', 'node', 'gpu', '=', '"', '\n', 'x', '1', '.', "'''"), {
          maxLength: 30,
        }),
        (parts) => {
          expect(message(parts.join(''))).toMatch(/^(no error|clawnode\.toml:\d+: .+)$/);
        },
      ),
    );
  });

  test('the line is found for any key of any table', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { minLength: 1, maxLength: 6 }),
        fc.uniqueArray(name, { minLength: 1, maxLength: 6 }),
        (tables, keys) => {
          const lines = tables.flatMap((table) => [`[${table}]`, ...keys.map((key) => `${key} = 1`)]);
          for (const table of tables) {
            for (const key of keys) {
              const expected = lines.indexOf(`[${table}]`) + 2 + keys.indexOf(key);
              expect(tomlLine(lines.join('\n'), [table, key])).toBe(expected);
            }
          }
        },
      ),
    );
  });
});

describe('slips on the command line', () => {
  test.each([
    [['--gatway', 'x'], 'Unknown option --gatway. Did you mean --gateway?'],
    [['--zzzzzzzzz'], 'Unknown option --zzzzzzzzz. clawnode --help lists them.'],
    [['--name'], "Option '--name <value>' argument missing."],
    [['stray'], "Unexpected argument 'stray'."],
    [['--name', 'Bad Name'], 'The node name "Bad Name" must be 1–63'],
    [['--label', 'zone'], '--label zone is not a label; write --label key=value.'],
    [['--gateway', 'ftp://x'], '"ftp://x" is not the address of a gateway'],
    [['--docker-host', 'tcp://x'], '--docker-host tcp://x is not a local socket'],
    [['--simulate-gpus', '8xH10'], '"H10" in --simulate-gpus is no model I know. Did you mean H100?'],
    [['--log-level', 'loud'], '--log-level loud is not one of debug, info, warn, error.'],
  ])('%j', (argv, expected) => {
    expect(() => parsed(argv)).toThrow(expected);
    expect(() => parsed(argv)).toThrow(expect.objectContaining({ code: 'invalid-config' }));
  });

  test('help and version ask for nothing else', () => {
    expect(parseConfig(['--help'], {})).toMatchObject({ kind: 'help' });
    expect(parseConfig(['--version'], {})).toEqual({ kind: 'version' });
  });
});

test('plaintext is noticed beyond this machine only', () => {
  const urls = ['ws://127.0.0.1:1/node', 'ws://[::1]:1/', 'wss://far/node', 'ws://far:8080/node'];
  expect(urls.map(isPlaintextBeyondLoopback)).toEqual([false, false, false, true]);
});
