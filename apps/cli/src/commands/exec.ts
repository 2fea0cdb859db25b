import type { Call } from '../declare/declaration.ts';
import { invalidArguments } from '../errors.ts';
import { shellWords } from '../output/phrases.ts';
import { signalNumber } from '../run/exit-code.ts';

interface ExecOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly rank?: number;
}

const TIMED_OUT = 124;

export async function execInWorkload({
  context,
  operands: [workload = '', ...stray],
  options,
}: Call): Promise<number> {
  const { env, timeout, rank } = options as ExecOptions;
  const command = [...(context.config.afterDashes ?? [])];
  if (stray.length > 0) {
    throw invalidArguments(
      `Put "--" before the program: clawbernetes exec ${workload} -- ${shellWords(stray)}`,
    );
  }
  if (command.length === 0) {
    throw invalidArguments(
      `What to run is missing; write: clawbernetes exec ${workload} -- <program> [arguments…]`,
    );
  }
  const client = await context.client();
  const result = await client.command('container.exec', {
    workload,
    command,
    ...(rank === undefined ? {} : { rank }),
    ...(env === undefined ? {} : { env }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
  });
  if (context.format === 'json') {
    await context.print(result, () => '');
  } else {
    context.terminal.stdout.write(Buffer.from(result.stdout, result.encoding));
    context.terminal.stderr.write(Buffer.from(result.stderr, result.encoding));
    if (result.truncated)
      context.remark('[clawbernetes] There was more output than is kept; the rest was dropped.');
    if (result.timedOut)
      context.remark('[clawbernetes] It ran too long and was killed; allow more with --timeout.');
  }
  if (result.timedOut) return TIMED_OUT;
  return result.exitCode ?? 128 + signalNumber(result.signal);
}
