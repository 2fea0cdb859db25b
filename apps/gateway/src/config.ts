import { errorCode, errorMessage, nearest } from '@clawbernetes/kernel';
import type { FleetOptions } from '@clawbernetes/fleet';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gatewayError } from './errors.ts';
import { parseFaultActions, parseProbation } from './gpu-policy.ts';
import { gangTimes, type GangTimes } from './gang-times.ts';
import { NETWORKS, type Network } from './settlement/network.ts';

/** The gateway's configuration, read once. This file is the only reader of arguments and environment. */
export interface GatewayConfig {
  readonly home: string;
  readonly folder: string;
  readonly logFolder: string;
  readonly host: string;
  readonly port: number;
  /** PostgreSQL instead of SQLite; carries a password, so it comes from the environment only. */
  readonly databaseUrl?: string;
  readonly insecure: boolean;
  readonly logLevel: LogLevel;
  /** What differs from the defaults in how broken GPUs are dealt with. */
  readonly gpus: Partial<GpuOptions>;
  /** How long gangs wait for members. */
  readonly gangs: GangTimes;
  /** The settlement role: keeps the ledger of this network. */
  readonly settlement?: Network;
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
const DEFAULT_PORT = 8080;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

const OPTIONS = {
  home: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  insecure: { type: 'boolean' },
  settlement: { type: 'string' },
  'gpu-probation': { type: 'string' },
  'gpu-fault-actions': { type: 'string' },
  'gang-grace': { type: 'string' },
  'gang-ready': { type: 'string' },
  'log-level': { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const HELP = `claw-gateway – control plane of a Clawbernetes fleet

Usage: claw-gateway [options]

  --home <folder>      state of the gateway (env CLAWBERNETES_HOME; default: ~/.local/state/clawbernetes)
  --host <address>     address to listen on (default: 127.0.0.1)
  --port <number>      port to listen on, 0 for any free one (default: ${DEFAULT_PORT})
  --insecure           listen on other addresses than loopback without TLS
  --settlement <kind>  keep the ledger of a network: development (with a faucet), test or main; for good
  --gpu-probation <time>  a GPU gets work again when it showed no fault for so long (default: 10m)
  --gpu-fault-actions <list>
                       what faults call for in this fleet, such as xid-13=ignore,ecc=replace:
                       ignore, restart-app, reset-gpu, drain-reboot or replace
  --gang-grace <time>  members of a gang go on for so long without one that is out of reach (default: 60s)
  --gang-ready <time>  a gang whose members are not all ready by then gives up its places (default: 15m)
  --log-level <level>  ${LOG_LEVELS.join(', ')} (default: info)
  --version, --help

Environment: CLAWBERNETES_DATABASE_URL=postgres://… keeps the state in PostgreSQL
instead of <home>/gateway/fleet.db, and the ledger in its schema clawbernetes_ledger.
`;

export type ParsedConfig =
  | { readonly kind: 'run'; readonly config: GatewayConfig }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

type GpuOptions = FleetOptions['gpus'];
type Environment = Readonly<Record<string, string | undefined>>;

/** @throws CodedError `invalid-config`, with one message that says what to change. */
export function parseConfig(argv: readonly string[], env: Environment): ParsedConfig {
  const values = parseOptions(argv);
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const host = values.host ?? '127.0.0.1';
  if (!LOOPBACK.has(host) && !values.insecure) {
    throw invalid(
      `Listening on ${host} without TLS would show every token to the network. ` +
        'Use 127.0.0.1, or add --insecure if the network is trusted.',
    );
  }
  const home = resolve(values.home || env['CLAWBERNETES_HOME'] || defaultHome(env));
  const folder = join(home, 'gateway');
  const databaseUrl = env['CLAWBERNETES_DATABASE_URL'];
  return {
    kind: 'run',
    config: {
      home,
      folder,
      logFolder: join(folder, 'logs'),
      host,
      port: parsePort(values.port),
      ...(databaseUrl === undefined || databaseUrl === '' ? {} : { databaseUrl: checkedUrl(databaseUrl) }),
      insecure: values.insecure ?? false,
      gpus: gpuOptions(values),
      gangs: gangTimes(values),
      logLevel: parseLevel(values['log-level']),
      ...(values.settlement !== undefined && { settlement: parseNetwork(values.settlement) }),
    },
  };
}

function parseOptions(
  argv: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'] {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [sentence = ''] = errorMessage(error).split('. ');
    if (errorCode(error) !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION')
      throw invalid(`${sentence.replace(/\.$/, '')}. claw-gateway --help lists the options.`);
    const unknown = /'(-[^']+)'/.exec(sentence)?.[1] ?? '';
    const near = nearest(unknown.replace(/^-+/, ''), Object.keys(OPTIONS));
    const hint = near ? `Did you mean --${near}?` : 'claw-gateway --help lists the options.';
    throw invalid(`Unknown option ${unknown}. ${hint}`);
  }
}

function gpuOptions(values: ReturnType<typeof parseOptions>): Partial<GpuOptions> {
  const { 'gpu-probation': probation, 'gpu-fault-actions': actions } = values;
  return {
    ...(probation !== undefined && { probationMs: parseProbation(probation) }),
    ...(actions !== undefined && { actions: parseFaultActions(actions) }),
  };
}

function parsePort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65_535) return port;
  throw invalid(`--port ${text} is not a port; use a number from 0 to 65535.`);
}

function parseNetwork(text: string): Network {
  const network = NETWORKS.find((known) => known === text);
  if (network) return network;
  const near = nearest(text, NETWORKS);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  throw invalid(`--settlement ${text} is not one of ${NETWORKS.join(', ')}.${hint}`);
}

function parseLevel(text: string | undefined): LogLevel {
  const level = LOG_LEVELS.find((known) => known === (text ?? 'info'));
  if (level) return level;
  const near = nearest(text ?? '', LOG_LEVELS);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  throw invalid(`--log-level ${text} is not one of ${LOG_LEVELS.join(', ')}.${hint}`);
}

function checkedUrl(url: string): string {
  if (/^postgres(ql)?:\/\//.test(url)) return url;
  throw invalid(
    'CLAWBERNETES_DATABASE_URL must begin with postgres:// (its value is not shown, it may hold a password).',
  );
}

function defaultHome(env: Environment): string {
  return join(env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local', 'state'), 'clawbernetes');
}

function invalid(message: string): Error {
  return gatewayError('invalid-config', message);
}
