import { parseDurationMs } from '@clawbernetes/kernel';
import type { FleetOptions } from '@clawbernetes/fleet';
import { gatewayError } from './errors.ts';

export type GangTimes = Partial<Pick<FleetOptions, 'gangGraceMs' | 'gangReadyMs'>>;

const MAX_MS = 7 * 86_400_000;

/** What differs from the defaults. @throws CodedError `invalid-config`. */
export function gangTimes(values: {
  readonly 'gang-grace'?: string | undefined;
  readonly 'gang-ready'?: string | undefined;
}): GangTimes {
  const { 'gang-grace': grace, 'gang-ready': ready } = values;
  return {
    ...(grace === undefined ? {} : { gangGraceMs: timeOf('--gang-grace', grace) }),
    ...(ready === undefined ? {} : { gangReadyMs: timeOf('--gang-ready', ready) }),
  };
}

function timeOf(option: string, text: string): number {
  const ms = durationOf(option, text);
  if (ms <= MAX_MS) return ms;
  throw gatewayError('invalid-config', `${option} ${text} is too long; write at most 168h.`);
}

function durationOf(option: string, text: string): number {
  try {
    return parseDurationMs(text);
  } catch {
    throw gatewayError('invalid-config', `${option} ${text} is not a duration; write it like 60s.`);
  }
}
