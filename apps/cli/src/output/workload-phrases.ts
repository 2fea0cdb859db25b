import { formatDuration } from '@clawbernetes/kernel';
import type { WorkloadView } from '@clawbernetes/protocol';
import type { Colours } from './colours.ts';
import { percent } from './phrases.ts';

/** State and how it came to it, in a few words: `failed (exit code 3)`, `failed (out of memory, SIGKILL)`. */
export function outcome(view: WorkloadView): string {
  const reason = view.endReason?.replaceAll('-', ' ');
  const code = view.exitCode === undefined ? view.signal : `exit code ${view.exitCode}`;
  const how = [reason, code].filter((part) => part !== undefined).join(', ');
  return how === '' ? view.state : `${view.state} (${how})`;
}

/** `restart 2 of 5, replace 0 of 1 used`; undefined if it asked for none. */
export function retriesOf({ budgets = {} }: WorkloadView): string | undefined {
  const told = Object.entries(budgets).map(
    ([policy, { spent, attempts }]) => `${policy} ${spent} of ${attempts}`,
  );
  return told.length === 0 ? undefined : `${told.join(', ')} used`;
}

export function disconnectOf({ onDisconnect }: WorkloadView['spec']): string | undefined {
  if (onDisconnect?.action !== 'stop') return undefined;
  return `its node stops it after ${formatDuration(onDisconnect.afterMs ?? 0)}`;
}

/** Where it ran and how well it was contained, with every limitation spelled out. */
export function placeOf(colours: Colours, view: WorkloadView): string {
  const { attempt } = view;
  if (!attempt) return '–';
  const gpus = attempt.devices.length > 0 ? `, ${devicesText(attempt)}` : '';
  const simulated = view.simulated ? colours.yellow(' (simulated)') : '';
  // What never started was not contained either.
  const sandbox = view.startedAtMs === undefined ? '' : sandboxPhrase(colours, attempt.sandbox);
  return `${attempt.nodeName}${sandbox}${gpus}${simulated}`;
}

interface Devices {
  readonly devices: readonly string[];
  readonly gpuMilli?: number | undefined;
}

/** `GPUs gpu-0 gpu-1`, `25 % of GPU gpu-0`. */
export function devicesText({ devices, gpuMilli }: Devices): string {
  const names = devices.join(' ');
  return gpuMilli === undefined ? `GPUs ${names}` : `${percent(gpuMilli)} of GPU ${names}`;
}

/** What it asks for: `4`, `25 %`, `2 MIG 1g.10gb`. */
export function gpusAsked({ gpus, gpuMilli, migProfile }: WorkloadView['spec']['resources']): string {
  if (gpuMilli !== undefined) return percent(gpuMilli);
  return migProfile === undefined ? String(gpus) : `${gpus} MIG ${migProfile}`;
}

function sandboxPhrase(colours: Colours, sandbox: NonNullable<WorkloadView['attempt']>['sandbox']): string {
  switch (sandbox) {
    case 'none':
      return `, ${colours.yellow('unsandboxed')}`;
    case 'bubblewrap':
      return ', sandboxed';
    case 'container':
      return ', container';
    case undefined:
      return '';
  }
}
