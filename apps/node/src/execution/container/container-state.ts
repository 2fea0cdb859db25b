import type { EngineReply } from './engine-reply.ts';

/** What we need of an inspected container. */
export interface ContainerState {
  readonly id: string;
  readonly status: 'created' | 'running' | 'ended';
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** Why it could not be started, in the engine's words; else empty. */
  readonly error: string;
  readonly finishedAtMs: number | undefined;
  /** Of its first process, on the host (or on the engine's virtual machine). */
  readonly pid: number | undefined;
  readonly stopSignal: string;
  readonly memoryLimitBytes: number;
  readonly labels: EngineReply;
}

export function containerState(reply: EngineReply): ContainerState {
  const state = reply.at('State');
  const finishedAtMs = Date.parse(state.at('FinishedAt').text() ?? '');
  return {
    id: reply.at('Id').text() ?? '',
    status: statusOf(state.at('Status').text() ?? '', state.at('Running').flag() === true),
    exitCode: state.at('ExitCode').number() ?? 0,
    outOfMemory: state.at('OOMKilled').flag() === true,
    error: state.at('Error').text() ?? '',
    // An engine writes year 1 for "not yet".
    finishedAtMs: finishedAtMs > 0 ? finishedAtMs : undefined,
    pid: state.at('Pid').number() || undefined,
    stopSignal: reply.at('Config', 'StopSignal').text() || 'SIGTERM',
    memoryLimitBytes: reply.at('HostConfig', 'Memory').number() ?? 0,
    labels: reply.at('Config', 'Labels'),
  };
}

function statusOf(status: string, running: boolean): ContainerState['status'] {
  // `initialized` and `configured` are Podman's words for what Docker calls created.
  if (status === 'created' || status === 'initialized' || status === 'configured') return 'created';
  return running ? 'running' : 'ended';
}
