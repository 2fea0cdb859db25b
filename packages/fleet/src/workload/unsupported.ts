import { apiError, type WorkloadSpec } from '@clawbernetes/protocol';

/** What a specification may ask for that this version cannot do, by field: whether it asks for it. */
const UNSUPPORTED: Readonly<Record<string, (spec: WorkloadSpec) => boolean>> = {
  spread: ({ spread }) => spread !== undefined,
  priority: ({ priority }) => (priority ?? 0) !== 0,
  queue: ({ queue }) => (queue ?? 'default') !== 'default',
  gang: ({ gang }) => gang !== undefined,
  'onDisconnect.action': ({ onDisconnect }) => onDisconnect?.action === 'stop',
  exclusive: ({ exclusive }) => exclusive === true,
};

/**
 * Nothing that was asked for is left out silently. @throws CodedError `not-supported` that names the fields.
 */
export function refuseUnsupported(spec: WorkloadSpec): void {
  const fields = Object.keys(UNSUPPORTED).filter((field) => UNSUPPORTED[field]?.(spec));
  if (fields.length === 0) return;
  throw apiError(
    'not-supported',
    `This version does not support ${fields.join(', ')} yet; submit the workload without.`,
    { issues: fields.map((path) => ({ path, message: 'is not supported yet' })) },
  );
}
