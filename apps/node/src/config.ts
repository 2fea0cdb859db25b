import { existsSync, readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import path from 'node:path';
import { parseJoinToken } from '@clawbernetes/identity';
import { errorCode, errorMessage } from '@clawbernetes/kernel';
import { nameSchema } from '@clawbernetes/protocol';
import { parseConfigFile, type ConfigFile } from './config/config-file.ts';
import { HELP, parseFlags, type Flags } from './config/flags.ts';
import { parseWorkloadUser, requireMayBecome, type WorkloadUser } from './config/workload-user.ts';
import { nodeError } from './errors.ts';
import { simulateGpus } from './hardware/simulated-gpus.ts';
import { NODE_DEFAULTS, type NodeOptions } from './node.ts';
import { LOG_FORMATS, LOG_LEVELS, type LineLoggerOptions } from './platform/line-logger.ts';
import type { TlsFiles } from './platform/web-socket-channel.ts';

/**
 * A node's configuration, read once. This file is the only reader of arguments, environment and
 * clawnode.toml.
 */
export interface NodeConfig {
  readonly home: string;
  /** Keys, membership and the supervisor's state. */
  readonly folder: string;
  readonly node: Omit<NodeOptions, 'agentVersion'>;
  readonly gpu: GpuChoice;
  readonly tls: TlsFiles;
  readonly logging: LineLoggerOptions;
  readonly workloads: WorkloadChoice;
  readonly stopWorkloadsOnExit: boolean;
  /** Path of a container engine's socket. */
  readonly dockerSocket?: string;
  /** For probes and executors. */
  readonly environment: Environment;
}

export interface GpuChoice {
  readonly autoDetect: boolean;
  /** Ids or numbers of the GPUs to offer; absent = all that are found. */
  readonly only?: readonly (string | number)[];
  /** Such as `8xH100`. */
  readonly simulate?: string;
  /** File with faults of simulated GPUs, read at each detection. */
  readonly simulateFaults?: string;
}

export interface WorkloadChoice {
  readonly allowUnsandboxed: boolean;
  /** Absent = as the user of this process. */
  readonly runAs?: WorkloadUser;
  /** Root without `runAs`. */
  readonly runsAsRoot: boolean;
  /** For the private files of workloads; absent = chosen by the supervisor. */
  readonly scratchFolder?: string;
  /** What one workload may store of its output over time. */
  readonly logBytesPerSecond?: number;
}

export type ParsedConfig =
  | { readonly kind: 'run'; readonly config: NodeConfig }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' };

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_GATEWAY = '127.0.0.1:8080';
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);
const MAX_CONFIG_BYTES = 1024 * 1024;

/**
 * Flags win over the environment, that over the file, that over the defaults. `uid` is of this process.
 * @throws CodedError `invalid-config` with one message that says what to change.
 */
export function parseConfig(
  argv: readonly string[],
  environment: Environment,
  uid = process.getuid?.(),
): ParsedConfig {
  const flags = parseFlags(argv);
  if (flags.help) return { kind: 'help', text: HELP };
  if (flags.version) return { kind: 'version' };
  const home = path.resolve(flags.home ?? environment['CLAWBERNETES_HOME'] ?? defaultHome(environment));
  const { file, content } = readConfigFile(flags.config ?? environment['CLAWNODE_CONFIG'], home);
  const folder = path.join(home, 'node');
  const dockerSocket = dockerSocketOf(flags['docker-host']);
  return {
    kind: 'run',
    config: Object.freeze({
      ...{ home, folder, environment },
      node: nodeOptions(flags, environment, { file, content, folder }),
      gpu: gpuChoice(flags, content),
      tls: tlsFiles(content, path.dirname(file)),
      logging: loggingOf(flags, content),
      workloads: workloadChoice(flags, content, uid),
      stopWorkloadsOnExit: flags['stop-workloads-on-exit'] ?? false,
      ...(dockerSocket === undefined ? {} : { dockerSocket }),
    }),
  };
}

function readConfigFile(named: string | undefined, home: string): { file: string; content: ConfigFile } {
  const file = path.resolve(named ?? path.join(home, 'clawnode.toml'));
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > MAX_CONFIG_BYTES) throw invalid(`${file} is larger than ${MAX_CONFIG_BYTES} bytes.`);
    return { file, content: parseConfigFile(file, text) };
  } catch (error) {
    if (errorCode(error) === 'ENOENT' && named === undefined) return { file, content: {} };
    if (errorCode(error) === 'invalid-config') throw error;
    throw invalid(`The configuration file ${file} cannot be read: ${errorMessage(error)}.`);
  }
}

function nodeOptions(
  flags: Flags,
  environment: Environment,
  { file, content, folder }: { file: string; content: ConfigFile; folder: string },
): Omit<NodeOptions, 'agentVersion'> {
  const { node = {}, metrics = {}, gpu = {}, features } = content;
  const joinToken = readJoinToken(flags['join-token-file'], folder);
  const maxReconnectAttempts = node.max_reconnect_attempts ?? 0;
  return {
    name: checkedName(flags.name ?? environment['CLAWNODE_NAME'] ?? node.name ?? nameOfHost()),
    gatewayUrl: gatewayUrl(
      flags.gateway ?? environment['CLAWNODE_GATEWAY'] ?? node.gateway ?? DEFAULT_GATEWAY,
    ),
    labels: { ...node.labels, ...labelsOf(flags.label ?? []) },
    reconnectIntervalMs: milliseconds(node.reconnect_interval_secs) ?? NODE_DEFAULTS.reconnectIntervalMs,
    ...(maxReconnectAttempts === 0 ? {} : { maxReconnectAttempts }),
    metricsIntervalMs: milliseconds(metrics.interval_secs) ?? NODE_DEFAULTS.metricsIntervalMs,
    detailedGpuMetrics: metrics.detailed_gpu_metrics ?? NODE_DEFAULTS.detailedGpuMetrics,
    memoryAlertPercent: gpu.memory_alert_threshold ?? NODE_DEFAULTS.memoryAlertPercent,
    ...(joinToken === undefined ? {} : { joinToken }),
    ...(features === undefined ? {} : { features: { features, source: file } }),
  };
}

/** A token that was used may be gone from its file: the node holds a grant by then. */
function readJoinToken(file: string | undefined, folder: string): string | undefined {
  if (file === undefined) return undefined;
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (errorCode(error) === 'ENOENT' && existsSync(path.join(folder, 'membership.json'))) return undefined;
    throw invalid(`The join token ${file} cannot be read: ${errorMessage(error)}.`);
  }
  try {
    parseJoinToken(token);
    return token;
  } catch (error) {
    throw invalid(`${file}: ${errorMessage(error)}`);
  }
}

function gpuChoice(flags: Flags, { gpu = {} }: ConfigFile): GpuChoice {
  const simulate = flags['simulate-gpus'] ?? gpu.simulate;
  if (simulate !== undefined) checkSimulation(simulate);
  return {
    autoDetect: gpu.auto_detect ?? true,
    ...(gpu.gpus === undefined ? {} : { only: gpu.gpus }),
    ...(simulate === undefined ? {} : { simulate }),
    ...(gpu.simulate_faults === undefined ? {} : { simulateFaults: gpu.simulate_faults }),
  };
}

function checkSimulation(spec: string): void {
  try {
    simulateGpus(spec);
  } catch (error) {
    throw invalid(errorMessage(error));
  }
}

function workloadChoice(
  flags: Flags,
  { workloads = {} }: ConfigFile,
  uid: number | undefined,
): WorkloadChoice {
  const { run_as: configured, scratch_folder: scratchFolder, log_mib_per_second: logMib } = workloads;
  const user = flags['run-as'] ?? configured;
  const runAs = user === undefined ? undefined : parseWorkloadUser(user);
  if (runAs) requireMayBecome(runAs, uid);
  return {
    allowUnsandboxed: flags['allow-unsandboxed'] ?? false,
    runsAsRoot: uid === 0 && runAs === undefined,
    ...(runAs && { runAs }),
    ...(scratchFolder !== undefined && { scratchFolder }),
    ...(logMib !== undefined && { logBytesPerSecond: Math.round(logMib * 1024 * 1024) }),
  };
}

/** Paths are meant from where the file is. */
function tlsFiles({ tls = {} }: ConfigFile, folder: string): TlsFiles {
  const { ca_cert: caCert, client_cert: clientCert, client_key: clientKey } = tls;
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    throw invalid('client_cert and client_key in [tls] belong together; one of them is missing.');
  }
  const named = Object.entries({ caCert, clientCert, clientKey }).filter(([, file]) => file !== undefined);
  return Object.fromEntries(named.map(([name, file]) => [name, path.resolve(folder, String(file))]));
}

function loggingOf(flags: Flags, { logging = {} }: ConfigFile): LineLoggerOptions {
  const wanted = flags['log-level'] ?? logging.level ?? 'info';
  const level = LOG_LEVELS.find((known) => known === wanted);
  if (!level) throw invalid(`--log-level ${wanted} is not one of ${LOG_LEVELS.join(', ')}.`);
  return { level, format: logging.format ?? LOG_FORMATS[0] };
}

/**
 * `host`, `host:port` and http(s) or ws(s) URLs; the node protocol is at `/node` unless the URL has a path.
 */
function gatewayUrl(text: string): string {
  const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `ws://${text}`);
  if (!url || !/^(ws|http)s?:$/.test(url.protocol)) {
    throw invalid(`"${text}" is not the address of a gateway; write host:port, ws://… or wss://….`);
  }
  url.protocol = url.protocol.replace('http', 'ws');
  if (url.port === '' && !/^[a-z]+:\/\//i.test(text)) url.port = '8080';
  if (url.pathname === '/') url.pathname = '/node';
  return url.href;
}

/** Whether what is said to this gateway can be read on a network. */
export function isPlaintextBeyondLoopback(url: string): boolean {
  const { protocol, hostname: host } = new URL(url);
  return protocol === 'ws:' && !LOOPBACK.has(host);
}

function labelsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw invalid(`--label ${pair} is not a label; write --label key=value.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function dockerSocketOf(address: string | undefined): string | undefined {
  if (address === undefined || /^(unix:\/\/)?\//.test(address)) return address?.replace(/^unix:\/\//, '');
  throw invalid(`--docker-host ${address} is not a local socket; write unix:///path/to/docker.sock.`);
}

function checkedName(name: string): string {
  const { success, error } = nameSchema.safeParse(name);
  if (success) return name;
  throw invalid(`The node name "${name}" ${error.issues[0]?.message ?? 'is not valid'}.`);
}

function nameOfHost(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .slice(0, 63);
  return name.replaceAll(/^[.-]+|[.-]+$/g, '') || 'node';
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(1000 * seconds);
}

function defaultHome(environment: Environment): string {
  const state =
    environment['XDG_STATE_HOME'] ?? path.join(environment['HOME'] ?? homedir(), '.local', 'state');
  return path.join(state, 'clawbernetes');
}

function invalid(message: string): Error {
  return nodeError('invalid-config', message);
}
