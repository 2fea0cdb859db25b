import type { NodeView } from '@clawbernetes/protocol';

export type Connectivity = NodeView['connectivity'];

/** Silence grows in this order; a sign of life leads back to `connected` from any. */
const SILENCE: Record<Connectivity, number> = { connected: 0, suspect: 1, disconnected: 2, lost: 3 };

export interface SilenceLimits {
  readonly suspectAfterMs: number;
  readonly leaseMs: number;
  readonly lostAfterMs: number;
}

/** Silence only moves a node on, never back. */
export function isQuieter(before: Connectivity, after: Connectivity): boolean {
  return SILENCE[after] > SILENCE[before];
}

/** What so much silence makes of a node; never `lost` while its loss may be our own fault. */
export function afterSilence(
  before: Connectivity,
  silenceMs: number,
  limits: SilenceLimits,
  { mayLose }: { readonly mayLose: boolean },
): Connectivity {
  const reached = reachedBy(silenceMs, limits);
  const after = reached === 'lost' && !mayLose ? 'disconnected' : reached;
  return isQuieter(before, after) ? after : before;
}

function reachedBy(silenceMs: number, { suspectAfterMs, leaseMs, lostAfterMs }: SilenceLimits): Connectivity {
  if (silenceMs >= lostAfterMs) return 'lost';
  if (silenceMs >= leaseMs) return 'disconnected';
  return silenceMs >= suspectAfterMs ? 'suspect' : 'connected';
}
