import { apiError, type WorkloadSpec } from '@clawbernetes/protocol';

/** Levels below a node: all members of a gang on one of its NVLink islands or NUMA nodes. */
const WITHIN_A_NODE: ReadonlySet<string | undefined> = new Set(['nvlink-island', 'numa']);

/** What a program meets the others of its gang by: without a network it is not told, nor could it use it. */
const RENDEZVOUS = /MASTER_ADDR|MASTER_PORT|CLAWBERNETES_GANG_HOSTS|--rdzv|PET_RDZV|--master[-_](addr|port)/;

function asksForRendezvous({ command, env }: WorkloadSpec): boolean {
  return [...command, ...Object.entries(env).flat()].some((text) => RENDEZVOUS.test(text));
}

/** What a specification may ask for that this version cannot do, by field: whether it asks for it. */
const UNSUPPORTED: Readonly<Record<string, (spec: WorkloadSpec) => boolean>> = {
  'gang.topology.level': ({ gang }) => WITHIN_A_NODE.has(gang?.topology?.level),
  'gang with network none whose program asks for a rendezvous': (spec) =>
    spec.gang !== undefined && spec.network === 'none' && asksForRendezvous(spec),
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
