import type { FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, GangRecord, NodeRecord, WorkloadRecord } from '../../records.ts';

/** By this label a node says under which name or address the others of the fleet reach it. */
export const ADDRESS_LABEL = 'address';
/** Where torchrun looks for its master unless told otherwise. */
const FIRST_MASTER_PORT = 29_500;
/** Of the list of hosts, bytes, which every member gets: a longer one is left out. */
const MAX_HOSTS_BYTES = 65_536;

/** What is told to others; the host name of the machine is only as good as their name resolution. */
export function addressOf({ labels, givenLabels, inventory }: NodeRecord): string {
  return givenLabels?.[ADDRESS_LABEL] || labels[ADDRESS_LABEL] || inventory.hostname;
}

/** Names or addresses of the nodes of a gang's members, by rank. */
export function hostsOf({ workloads, nodes }: Pick<FleetCore, 'workloads' | 'nodes'>, id: string): string[] {
  return workloads.members(id).map(({ nodeId }) => {
    const node = nodes.node(nodeId);
    return node ? addressOf(node) : nodeId;
  });
}

/** What the program of a member must know of the others. What its specification sets is left as it is. */
export function memberEnvironment(
  workload: WorkloadRecord,
  gang: GangRecord,
  { rank = 0 }: AttemptRecord,
  hosts: readonly string[],
): Readonly<Record<string, string>> {
  const { spec } = workload;
  const list = hosts.join(',');
  const isNamed = spec.network !== 'none' && list.length <= MAX_HOSTS_BYTES;
  const environment: Record<string, string> = {
    CLAWBERNETES_RANK: String(rank),
    CLAWBERNETES_MEMBERS: String(Math.max(gang.size, hosts.length)),
    ...(isNamed ? { CLAWBERNETES_GANG_HOSTS: list } : {}),
    NODE_RANK: String(rank),
    NNODES: nodeCount(workload, gang),
    // Without a network there is nobody to meet.
    ...(spec.network === 'none' ? {} : meeting(workload, gang, { rank, address: hosts[0] ?? '' })),
  };
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !Object.hasOwn(spec.env, name)));
}

/** As torchrun counts: `3`, or `2:4` of a gang that may grow. */
function nodeCount({ spec }: WorkloadRecord, { size }: GangRecord): string {
  const { members, minMembers = members } = spec.gang ?? { members: size };
  return minMembers === members ? String(members) : `${minMembers}:${members}`;
}

/**
 * Where members meet. `PET_…` are the defaults of torchrun's options (torch.distributed.argparse_util), so
 * that `torchrun train.py` needs none of them. Those of a gang that may grow meet at a server of rank 0's,
 * which numbers them itself.
 */
function meeting(
  workload: WorkloadRecord,
  gang: GangRecord,
  { rank, address }: { readonly rank: number; readonly address: string },
): Readonly<Record<string, string>> {
  const [nodes, port] = [nodeCount(workload, gang), String(gang.masterPort)];
  const { gpus } = workload.spec.resources;
  return {
    MASTER_ADDR: address,
    MASTER_PORT: port,
    PET_MASTER_ADDR: address,
    PET_MASTER_PORT: port,
    PET_NNODES: nodes,
    PET_NODE_RANK: String(rank),
    ...(gpus > 0 ? { PET_NPROC_PER_NODE: String(gpus) } : {}),
    ...(nodes.includes(':')
      ? {
          PET_RDZV_BACKEND: 'c10d',
          PET_RDZV_ENDPOINT: `${address}:${port}`,
          PET_RDZV_ID: workload.id,
        }
      : {}),
  };
}

/** The lowest port that no other gang uses whose rank 0 is on this node. */
export function freeMasterPort({ workloads }: Pick<FleetCore, 'workloads'>, nodeId: string): number {
  const taken = new Set(
    workloads
      .liveOn(nodeId)
      .flatMap(({ rank, workloadId }) =>
        rank === 0 ? (workloads.workload(workloadId)?.gang?.masterPort ?? []) : [],
      ),
  );
  let port = FIRST_MASTER_PORT;
  while (taken.has(port)) port += 1;
  return port;
}
