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
  { spec }: WorkloadRecord,
  gang: GangRecord,
  { rank = 0 }: AttemptRecord,
  hosts: readonly string[],
): Readonly<Record<string, string>> {
  const { members, minMembers = members } = spec.gang ?? { members: gang.size };
  const list = hosts.join(',');
  const isNamed = spec.network !== 'none' && list.length <= MAX_HOSTS_BYTES;
  const environment: Record<string, string> = {
    CLAWBERNETES_RANK: String(rank),
    CLAWBERNETES_MEMBERS: String(Math.max(gang.size, hosts.length)),
    ...(isNamed ? { CLAWBERNETES_GANG_HOSTS: list } : {}),
    // Without a network there is nobody to meet.
    ...(spec.network === 'none' ? {} : { MASTER_ADDR: hosts[0] ?? '', MASTER_PORT: String(gang.masterPort) }),
    NODE_RANK: String(rank),
    NNODES: minMembers === members ? String(members) : `${minMembers}:${members}`,
  };
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !Object.hasOwn(spec.env, name)));
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
