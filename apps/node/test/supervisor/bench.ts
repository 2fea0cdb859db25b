import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import type { AttemptStatus, WorkloadSpec } from '@clawbernetes/protocol';
import { isTerminal } from '@clawbernetes/protocol/attempt';
import { decodeRecords, type LogStream } from '@clawbernetes/telemetry/log-records';
import type { Launch } from '../../src/execution/executor.ts';
import {
  connectSupervisor,
  type ConnectSupervisorOptions,
  type SocketSupervisor,
} from '../../src/supervisor/socket-supervisor.ts';
import { until } from '../../src/testing/until.ts';

export const plainExecutors = new URL('./plain-executors.ts', import.meta.url).href;

/** A launch of a shell script, or of a command. */
export function launchOf(
  attemptId: string,
  command: string | readonly string[],
  spec: Partial<WorkloadSpec> = {},
  more: Partial<Launch> = {},
): Launch {
  return {
    attemptId,
    workloadId: `workload-of-${attemptId}`,
    namespace: 'default',
    epoch: { term: 1, counter: 1 },
    devices: [],
    spec: {
      command: typeof command === 'string' ? ['sh', '-c', command] : command,
      env: {},
      resources: { gpus: 0, gpuModels: [], minGpuMemoryMib: 0 },
      sandbox: 'off',
      network: 'host',
      mounts: [],
      nodeSelector: {},
      labels: {},
      stopGraceMs: 1000,
      ...spec,
    } as WorkloadSpec,
    ...more,
  };
}

/**
 * A program that says `up`, and on SIGTERM, after a while, `word`. Not a shell: one that forks at the moment
 * of the signal may die of it.
 */
export function politeProgram(word: string, afterMs: number, exitCode: number): readonly string[] {
  const end = `setTimeout(() => { console.log('${word}'); process.exit(${exitCode}); }, ${afterMs})`;
  const script = `process.on('SIGTERM', () => ${end}); setInterval(() => {}, 1000); console.log('up');`;
  return [process.execPath, '-e', script];
}

/** A state folder and the clients that a test opens on it; ends every supervisor and workload of it. */
export class SupervisorBench implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'supervisor-'));
  readonly #clients: SocketSupervisor[] = [];

  options(more: Partial<ConnectSupervisorOptions> = {}): ConnectSupervisorOptions {
    return {
      stateFolder: this.folder,
      owner: 'node-1',
      version: '1.0.0',
      executors: {},
      executorModule: plainExecutors,
      idleExitMs: 30_000,
      ...more,
    };
  }

  async connect(more: Partial<ConnectSupervisorOptions> = {}): Promise<SocketSupervisor> {
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger, environment: process.env };
    const client = await connectSupervisor(deps, this.options(more));
    this.#clients.push(client);
    return client;
  }

  /** An agent in a process of its own, leader of its process group; resolves when it has launched. */
  async agentProcess(
    launches: readonly Launch[],
    { fds = [], stops = [] }: { fds?: readonly number[]; stops?: readonly string[] } = {},
  ): Promise<ChildProcess> {
    const argument = JSON.stringify({ options: this.options(), launches, stops });
    const agent = fileURLToPath(new URL('./agent-process.ts', import.meta.url));
    const child = spawn(process.execPath, ['--conditions=@clawbernetes/source', agent, argument], {
      detached: true,
      env: { ...process.env, AGENT_SECRET: 'hidden' },
      stdio: ['ignore', 'pipe', 'inherit', ...fds],
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`The agent process ended with ${code}.`)));
    });
    return child;
  }

  /** The other clients let go first, or they would start the supervisor again that is shut down. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#clients) await each[Symbol.asyncDispose]();
    const last = await this.connect();
    await last.shutdown({ graceMs: 0 });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

export async function statusOf(
  supervisor: SocketSupervisor,
  attemptId: string,
): Promise<AttemptStatus | undefined> {
  return (await supervisor.list()).find((status) => status.attemptId === attemptId);
}

export async function untilState(
  supervisor: SocketSupervisor,
  attemptId: string,
  state: AttemptStatus['state'],
): Promise<AttemptStatus> {
  let status: AttemptStatus | undefined;
  await until(`${attemptId} is ${state}`, async () => {
    status = await statusOf(supervisor, attemptId);
    return status?.state === state;
  });
  return status as AttemptStatus;
}

export async function untilEnded(supervisor: SocketSupervisor, attemptId: string): Promise<AttemptStatus> {
  let status: AttemptStatus | undefined;
  await until(`${attemptId} has ended`, async () => {
    status = await statusOf(supervisor, attemptId);
    return status !== undefined && isTerminal(status.state);
  });
  return status as AttemptStatus;
}

/** What the attempt's log holds of some streams, in order. */
export async function logText(
  supervisor: SocketSupervisor,
  attemptId: string,
  streams: readonly LogStream[] = ['stdout', 'stderr'],
): Promise<string> {
  let text = '';
  for (let position = 0; ;) {
    const slice = await supervisor.readLog(attemptId, position, 256 * 1024);
    if (slice.records.length === 0) return text;
    for (const { stream, bytes } of decodeRecords(slice.records)) {
      if (streams.includes(stream)) text += Buffer.from(bytes).toString();
    }
    position = slice.position + slice.records.length;
  }
}
