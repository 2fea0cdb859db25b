import { errorCode, sleep } from '@clawbernetes/kernel';
import type { WorkloadView } from '@clawbernetes/protocol';
import { hasEnded } from '@clawbernetes/protocol/workload-state';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';

const LOOK_EVERY_MS = 1000;

/** Says why a workload does not run yet, when that lasts over a second, and again when the reason changes. */
export async function explainWaiting(
  context: Context,
  client: Client,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  let said = '';
  try {
    for (;;) {
      await sleep(context.clock, LOOK_EVERY_MS, { signal });
      const view = await client.command('workload.inspect', { workload: id }, { signal });
      const phrase = phraseFor(view);
      if (phrase !== '' && phrase !== said) context.remark(context.terminal.errorColours.dim(`… ${phrase}`));
      said = phrase;
      if (view.state === 'running' || hasEnded(view.state)) return;
    }
  } catch (error) {
    // The log and the wait for the end report what matters; this is only for information.
    if (errorCode(error) === undefined) throw error;
  }
}

function phraseFor({ name, state, waiting, attempt, spec }: WorkloadView): string {
  if (waiting) return `${name} waits: ${waiting.message}`;
  const where = attempt === undefined ? '' : ` on ${attempt.nodeName}`;
  if (state === 'preparing')
    return `${name} is being prepared${where}${spec.image ? ` (image ${spec.image})` : ''}`;
  return state === 'running' || hasEnded(state) ? '' : `${name} is ${state}${where}`;
}
