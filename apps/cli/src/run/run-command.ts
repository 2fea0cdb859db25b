import { errorCode } from '@clawbernetes/kernel';
import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { exitCodeOf } from '../errors.ts';
import { reportError } from '../report-error.ts';
import { runForeground } from './foreground.ts';
import { inOptions } from './in-options.ts';
import type { RunOptions } from './run-options.ts';
import { refuseAmbiguousProgram, workloadRequest } from './workload-request.ts';

/** Exit code of a foreground run that failed itself, so that it cannot be taken for the workload's. */
const RUN_FAILED = 125;
const INVALID_ARGUMENTS = 5;

export async function runCommand({ context, operands, options }: Call<RunOptions>): Promise<number> {
  refuseAmbiguousProgram(operands);
  const client = await context.client();
  const spec = await workloadRequest(context.config, { operands, options, gatewayUrl: client.url });
  try {
    if (options.detach) return await runDetached(context, spec);
    return await runForeground(context, spec, { quiet: options.quiet ?? false });
  } catch (error) {
    if (exitCodeOf(error) === INVALID_ARGUMENTS) throw inOptions(error);
    if (options.detach) throw error;
    if (errorCode(error) === 'aborted') return RUN_FAILED;
    reportError(error, context);
    return RUN_FAILED;
  }
}

async function runDetached(context: Context, spec: WorkloadSpecInput): Promise<number> {
  const client = await context.client();
  const workload = await client.run(spec);
  await context.print(workload, () => workload.id);
  if (context.format === 'table') {
    if (workload.waiting) {
      context.remark(`${workload.name} waits: ${workload.waiting.message}`);
      context.remark(`What would help: ${context.config.programName} workload why ${workload.id}`);
    }
    context.remark(`Follow it with: ${context.config.programName} workload logs -f ${workload.id}`);
  }
  return 0;
}
