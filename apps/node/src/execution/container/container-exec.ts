import { CodedError } from '@clawbernetes/kernel';
import type { Clock } from '@clawbernetes/kernel';
import type { ExecRequest, ExecResult, OutputStream } from '../executor.ts';
import type { Engine } from './engine.ts';
import { refusalStatus } from './engine-client.ts';
import { containerPidStartTicks, descendants, signalAll } from './host-process.ts';
import { OutputFrames } from './output-frames.ts';

/**
 * Runs a command beside a workload. When its time is up, its processes are killed where they can be seen from
 * here; the engine's API has no way to end them.
 * @throws CodedError `attempt-not-running`.
 */
export async function containerExec(
  { engine, clock }: { readonly engine: Engine; readonly clock: Clock },
  containerId: string,
  request: ExecRequest,
): Promise<ExecResult> {
  const env = Object.entries(request.env).map(([name, value]) => `${name}=${value}`);
  const timeUp = new AbortController();
  const timer = clock.after(request.timeoutMs, () => timeUp.abort());
  const output = new BoundedOutput(request.maxOutputBytes);
  try {
    const execId = await engine.createExec(containerId, request.command, env);
    await collect(engine, execId, output, timeUp.signal);
    const { exitCode, pid } = await engine.inspectExec(execId);
    if (!timeUp.signal.aborted) return { exitCode: exitCode ?? -1, ...output.result(), timedOut: false };
    if (pid !== undefined) await killTree(pid, containerId);
    return { signal: 'SIGKILL', ...output.result(), timedOut: true };
  } catch (error) {
    throw notRunning(error) ?? error;
  } finally {
    timer.cancel();
  }
}

async function collect(
  engine: Engine,
  execId: string,
  output: BoundedOutput,
  signal: AbortSignal,
): Promise<void> {
  try {
    const response = await engine.startExec(execId, { signal });
    const frames = new OutputFrames();
    for await (const chunk of response as AsyncIterable<Buffer>) {
      for (const { stream, payload } of frames.push(chunk)) output.add(stream, payload);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function killTree(pid: number, containerId: string): Promise<void> {
  if ((await containerPidStartTicks(pid, containerId)) === undefined) return;
  signalAll([...(await descendants(pid)), pid], 'SIGKILL');
}

function notRunning(error: unknown): CodedError | undefined {
  const status = refusalStatus(error);
  if (status !== 404 && status !== 409) return undefined;
  return new CodedError('The workload is not running, so no command can run beside it.', {
    code: 'attempt-not-running',
  });
}

class BoundedOutput {
  readonly #limit: number;
  readonly #chunks: Record<OutputStream, Buffer[]> = { stdout: [], stderr: [] };
  readonly #lengths: Record<OutputStream, number> = { stdout: 0, stderr: 0 };
  #truncated = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(stream: OutputStream, bytes: Buffer): void {
    const room = this.#limit - this.#lengths[stream];
    if (bytes.length > room) this.#truncated = true;
    if (room <= 0) return;
    // A copy: a small piece must not keep the whole chunk that it was read with.
    const kept = Buffer.from(bytes.subarray(0, room));
    this.#chunks[stream].push(kept);
    this.#lengths[stream] += kept.length;
  }

  result(): Pick<ExecResult, 'stdout' | 'stderr' | 'truncated'> {
    const { stdout, stderr } = this.#chunks;
    return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr), truncated: this.#truncated };
  }
}
