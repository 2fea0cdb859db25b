import { isUtf8 } from 'node:buffer';
import { errorCode } from '@clawbernetes/kernel';
import { apiError, isTerminal } from '@clawbernetes/protocol';
import type { CommandContext, NodeCommandHandler } from './node-command.ts';

export const workloadStats: NodeCommandHandler<'workload.stats'> = async (
  { workload, attemptId },
  context,
) => {
  const stats = await running(attemptId, workload, context, () => context.supervisor.stats(attemptId));
  return { workload, ...stats };
};

export const containerExec: NodeCommandHandler<'container.exec'> = async (
  { workload, attemptId, command, env, timeoutMs, maxOutputBytes },
  context,
) => {
  const result = await running(attemptId, workload, context, () =>
    context.supervisor.exec(attemptId, { command, env, timeoutMs, maxOutputBytes }),
  );
  const { stdout, stderr, ...outcome } = result;
  const encoding = isUtf8(stdout) && isUtf8(stderr) ? 'utf8' : 'base64';
  return {
    ...outcome,
    stdout: Buffer.from(stdout).toString(encoding),
    stderr: Buffer.from(stderr).toString(encoding),
    encoding,
  };
};

async function running<T>(
  attemptId: string,
  workload: string,
  { book }: CommandContext,
  work: () => Promise<T>,
): Promise<T> {
  const status = book.get(attemptId);
  if (!status || isTerminal(status.state)) throw notRunning(workload);
  try {
    return await work();
  } catch (error) {
    throw errorCode(error) === 'attempt-not-running' ? notRunning(workload, error) : error;
  }
}

function notRunning(workload: string, cause?: unknown): Error {
  return apiError('not-running', `Workload ${workload} is not running on this node.`, {}, { cause });
}
