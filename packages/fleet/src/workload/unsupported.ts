import { apiError, type WorkloadSpec } from '@clawbernetes/protocol';
import { gpuLevel } from '../scheduler/topology/gpu-level.ts';

/** What a program meets the others of its gang by: without a network it is not told, nor could it use it. */
const RENDEZVOUS = /MASTER_ADDR|MASTER_PORT|CLAWBERNETES_GANG_HOSTS|--rdzv|PET_RDZV|--master[-_](addr|port)/;

function asksForRendezvous({ command, env }: WorkloadSpec): boolean {
  return [...command, ...Object.entries(env).flat()].some((text) => RENDEZVOUS.test(text));
}

interface Unsupported {
  readonly isAskedFor: (spec: WorkloadSpec) => boolean;
  /** What is in its way, and what does instead. */
  readonly why?: string;
}

/** What a specification may ask for that this version cannot do, by field. */
const UNSUPPORTED: Readonly<Record<string, Unsupported>> = {
  'gang.topology.level below a node for members without a GPU': {
    isAskedFor: ({ gang, resources: { gpus, gpuMilli } }) =>
      gpuLevel(gang?.topology?.level) !== undefined && gpus === 0 && gpuMilli === undefined,
    why: 'CPUs are not placed by NUMA node: level node keeps such members together.',
  },
  'gang.topology.level nvlink-island for MIG instances': {
    isAskedFor: ({ gang, resources }) =>
      gang?.topology?.level === 'nvlink-island' && resources.migProfile !== undefined,
    why: 'They reach each other over no NVLink: ask for level numa or node.',
  },
  'gang with network none whose program asks for a rendezvous': {
    isAskedFor: (spec) => spec.gang !== undefined && spec.network === 'none' && asksForRendezvous(spec),
  },
};

/**
 * Nothing that was asked for is left out silently. @throws CodedError `not-supported` that names the fields.
 */
export function refuseUnsupported(spec: WorkloadSpec): void {
  const asked = Object.entries(UNSUPPORTED).filter(([, { isAskedFor }]) => isAskedFor(spec));
  if (asked.length === 0) return;
  const fields = asked.map(([field]) => field);
  const reasons = asked.flatMap(([, { why }]) => why ?? []);
  const refusal = `This version does not support ${fields.join(', ')} yet; submit the workload without.`;
  throw apiError('not-supported', [refusal, ...reasons].join(' '), {
    issues: fields.map((path) => ({ path, message: 'is not supported yet' })),
  });
}
