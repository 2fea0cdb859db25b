import { apiError, type WorkloadSpec } from '@clawbernetes/protocol';

/** Levels below a node: all members of a gang on one of its NVLink islands or NUMA nodes. */
const WITHIN_A_NODE: ReadonlySet<string | undefined> = new Set(['nvlink-island', 'numa']);

/** What a specification may ask for that this version cannot do, by field: whether it asks for it. */
const UNSUPPORTED: Readonly<Record<string, (spec: WorkloadSpec) => boolean>> = {
  'gang.topology.level': ({ gang }) => WITHIN_A_NODE.has(gang?.topology?.level),
  'gang with network none': ({ gang, network }) => gang !== undefined && network === 'none',
  'gang with restart': ({ gang, restart }) => gang !== undefined && restart !== undefined,
  'gang with reschedule.attempts': ({ gang, reschedule }) =>
    gang !== undefined && (reschedule?.attempts ?? 0) > 0,
  'gang with replace': ({ gang, replace }) => gang !== undefined && replace !== undefined,
  'gang with onDisconnect.action stop': ({ gang, onDisconnect }) =>
    gang !== undefined && onDisconnect?.action === 'stop',
  'gang with exclusive': ({ gang, exclusive }) => gang !== undefined && exclusive === true,
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
