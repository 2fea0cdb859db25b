import { nearest, parseDurationMs } from '@clawbernetes/kernel';
import { FAULT_ACTIONS, FAULT_KINDS, type FaultAction } from '@clawbernetes/protocol';
import { gatewayError } from './errors.ts';

const MAX_OVERRIDES = 200;
const MAX_PROBATION_MS = 7 * 86_400_000;

/** `xid-79=ignore,ecc=replace` @throws CodedError `invalid-config`. */
export function parseFaultActions(text: string): Readonly<Record<string, FaultAction>> {
  const parts = text.split(',').filter((part) => part.trim() !== '');
  if (parts.length > MAX_OVERRIDES)
    throw invalid(`--gpu-fault-actions has ${parts.length} parts; ${MAX_OVERRIDES} is the limit.`);
  return Object.fromEntries(parts.map((part) => faultAction(part.trim())));
}

function faultAction(part: string): readonly [string, FaultAction] {
  const [fault = '', wanted = ''] = part.split('=', 2);
  if (!/^xid-\d{1,4}$/.test(fault) && !FAULT_KINDS.some((kind) => kind === fault))
    throw invalid(
      `"${part}" in --gpu-fault-actions names no fault; write xid-79=ignore, or one of ${FAULT_KINDS.join(', ')}.`,
    );
  const action = FAULT_ACTIONS.find((known) => known === wanted);
  if (action) return [fault, action];
  const near = nearest(wanted, FAULT_ACTIONS);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  throw invalid(`"${part}" in --gpu-fault-actions: write one of ${FAULT_ACTIONS.join(', ')}.${hint}`);
}

/** @throws CodedError `invalid-config`. */
export function parseProbation(text: string): number {
  const ms = durationOf(text);
  if (ms <= MAX_PROBATION_MS) return ms;
  throw invalid(`--gpu-probation ${text} is too long; write at most 168h.`);
}

function durationOf(text: string): number {
  try {
    return parseDurationMs(text);
  } catch {
    throw invalid(`--gpu-probation ${text} is not a duration; write it like 10m.`);
  }
}

function invalid(message: string): Error {
  return gatewayError('invalid-config', message);
}
