// Shows that arguments and environment become one configuration, or one message that says what to change and
// gives no secret away.
import { errorCode, errorMessage } from '@clawbernetes/kernel';
import { homedir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { parseConfig, type GatewayConfig } from '../../src/config.ts';

function configOf(argv: readonly string[] = [], env: Record<string, string> = {}): GatewayConfig {
  const parsed = parseConfig(argv, env);
  if (parsed.kind !== 'run') throw new Error(`these arguments mean ${parsed.kind}`);
  return parsed.config;
}

function refusalOf(argv: readonly string[], env: Record<string, string> = {}): string {
  try {
    parseConfig(argv, env);
  } catch (error) {
    expect(errorCode(error)).toBe('invalid-config');
    expect(errorMessage(error)).not.toContain('\n');
    return errorMessage(error);
  }
  throw new Error(`${argv.join(' ')} was accepted`);
}

describe('the home', () => {
  test.each([
    [['--home', '/a'], { CLAWBERNETES_HOME: '/b' }, '/a'],
    [[], { CLAWBERNETES_HOME: '/b', XDG_STATE_HOME: '/c' }, '/b'],
    [[], { XDG_STATE_HOME: '/c', HOME: '/d' }, '/c/clawbernetes'],
    [[], { HOME: '/d' }, '/d/.local/state/clawbernetes'],
    [[], {}, `${homedir()}/.local/state/clawbernetes`],
    // Set to nothing is not set: no state may end up in the folder one happens to be in.
    [[], { CLAWBERNETES_HOME: '', XDG_STATE_HOME: '', HOME: '/d' }, '/d/.local/state/clawbernetes'],
    [['--home', ''], { CLAWBERNETES_HOME: '/b' }, '/b'],
  ] as const)('%j with %j is %s', (argv, env, home) => {
    expect(configOf(argv, env)).toMatchObject({
      home,
      folder: `${home}/gateway`,
      logFolder: `${home}/gateway/logs`,
    });
  });

  test('may be given relative to the working folder', () => {
    expect(configOf(['--home', 'state']).home).toBe(`${process.cwd()}/state`);
  });
});

describe('the address', () => {
  test('is loopback and 8080 unless told otherwise', () => {
    expect(configOf()).toMatchObject({ host: '127.0.0.1', port: 8080, insecure: false, logLevel: 'info' });
    expect(configOf(['--port', '0', '--host', '::1'])).toMatchObject({ host: '::1', port: 0 });
  });

  test.each(['0.0.0.0', '::', '192.0.2.7', 'gateway.example', '127.0.0.1.example'])(
    '%s is refused without TLS unless somebody says that it is wanted',
    (host) => {
      expect(refusalOf(['--host', host])).toMatch(/without TLS.*--insecure/);
      expect(configOf(['--host', host, '--insecure'])).toMatchObject({ host, insecure: true });
    },
  );

  test.each(['-1', '65536', '80a', '8e1', '', ' 80', '0x50', '999999'])(
    'the port "%s" is refused',
    (port) => {
      expect(refusalOf([`--port=${port}`])).toContain('0 to 65535');
    },
  );
});

describe('a wrong argument', () => {
  test.each([
    [['--prot', '1'], 'Unknown option --prot. Did you mean --port?'],
    [['--hots', '1'], 'Unknown option --hots. Did you mean --host?'],
    [['--insecrue'], 'Unknown option --insecrue. Did you mean --insecure?'],
    [['--log-levle=info'], 'Unknown option --log-levle. Did you mean --log-level?'],
    [
      ['--tls-certificate-file', 'x'],
      'Unknown option --tls-certificate-file. claw-gateway --help lists the options.',
    ],
    [['-x'], /^Unknown option -x\. /],
    [['--port'], /--port.*argument missing/],
    [['--insecure=yes'], /--insecure.*does not take an argument/],
    [['serve'], /Unexpected argument 'serve'/],
    [
      ['--log-level', 'wran'],
      /--log-level wran is not one of debug, info, warn, error, silent\. Did you mean warn\?/,
    ],
  ])('%j says so', (argv, message) => {
    if (typeof message === 'string') expect(refusalOf(argv)).toBe(message);
    else expect(refusalOf(argv)).toMatch(message);
  });

  test('help and version win over nothing else being right', () => {
    expect(parseConfig(['--help', '--port', 'x'], {}).kind).toBe('help');
    expect(parseConfig(['-h'], {}).kind).toBe('help');
    expect(parseConfig(['--version'], {}).kind).toBe('version');
  });
});

describe('the database', () => {
  test('is PostgreSQL when the environment says so, and SQLite when it is empty', () => {
    const url = 'postgresql://claw:hunter2@db.example/fleet';
    expect(configOf([], { CLAWBERNETES_DATABASE_URL: url }).databaseUrl).toBe(url);
    expect(configOf([], { CLAWBERNETES_DATABASE_URL: '' }).databaseUrl).toBeUndefined();
  });

  test('of another kind is refused without showing what was given', () => {
    const message = refusalOf([], { CLAWBERNETES_DATABASE_URL: 'mysql://claw:hunter2@db.example/fleet' });
    expect(message).toContain('postgres://');
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('db.example');
  });
});

describe('what a fleet does about broken GPUs', () => {
  test('is what the faults call for, unless it is said otherwise', () => {
    expect(configOf().gpus).toEqual({});
    const argv = ['--gpu-probation', '90s', '--gpu-fault-actions', 'xid-13=ignore, ecc=replace'];
    expect(configOf(argv).gpus).toEqual({
      probationMs: 90_000,
      actions: { 'xid-13': 'ignore', ecc: 'replace' },
    });
  });

  test.each([
    [['--gpu-probation', 'soon'], 'is not a duration'],
    [['--gpu-probation', '999h'], 'at most 168h'],
    [['--gpu-fault-actions', 'xid=reset-gpus'], 'Did you mean reset-gpu?'],
    [['--gpu-fault-actions', 'melted=ignore'], 'names no fault'],
    [['--gpu-fault-actions', Array.from({ length: 201 }, () => 'ecc=ignore').join()], '200 is the limit'],
  ])('%j is refused', (argv, says) => {
    expect(refusalOf(argv)).toContain(says);
  });
});
