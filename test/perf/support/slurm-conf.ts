/** Emulated nodes, each a slurmd of its own, and the processors that each claims to have. */
export const SLURM_NODES = 64;
const CPUS_PER_NODE = 32;
/** slurmctld listens on several ports so that a burst of messages does not overflow one accept queue. */
const CONTROLLER_PORTS = 4;
/** Ports that a cluster takes, one after the other. */
export const SLURM_PORTS = CONTROLLER_PORTS + SLURM_NODES;
/** Tasks that one array may have. */
export const SLURM_ARRAY_LIMIT = 10_000;

export interface SlurmPlace {
  readonly folder: string;
  /** Short name of this machine; the daemons refuse to start under another. */
  readonly host: string;
  readonly user: string;
  readonly firstPort: number;
}

/**
 * slurm.conf of a private cluster, set up for throughput as Slurm's High Throughput Computing Administration
 * Guide advises, so that the comparison is fair to Slurm. Where the guide leaves a choice, the setting is the
 * one that was fastest for an array of 1,000 tasks with 64 nodes on 2 cores.
 */
export function slurmConf(place: SlurmPlace): string {
  return [...addresses(place), ...folders(place), ...LIGHT, ...SCHEDULING, ...nodes(place), ''].join('\n');
}

function addresses({ folder, host, user, firstPort }: SlurmPlace): readonly string[] {
  return [
    'ClusterName=bench',
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${firstPort}-${firstPort + CONTROLLER_PORTS - 1}`,
    // Without these the daemons listen on every interface.
    'CommunicationParameters=NoInAddrAny,NoCtldInAddrAny',
    // Nobody else's rights are needed: jobs run as whoever runs the benchmark.
    `SlurmUser=${user}`,
    `SlurmdUser=${user}`,
    'AuthType=auth/munge',
    'CredType=cred/munge',
    `AuthInfo=socket=${folder}/munge.sock`,
  ];
}

/** %n is the name of the node. */
function folders({ folder }: SlurmPlace): readonly string[] {
  return [
    `StateSaveLocation=${folder}`,
    `SlurmdSpoolDir=${folder}/%n`,
    `SlurmctldPidFile=${folder}/slurmctld.pid`,
    `SlurmdPidFile=${folder}/%n.pid`,
    `SlurmctldLogFile=${folder}/slurmctld.log`,
    `SlurmdLogFile=${folder}/%n.log`,
  ];
}

/**
 * Nothing that costs time for each job beyond running it: no accounting, no prolog or epilog, no binding, few
 * logs.
 */
const LIGHT = [
  'AccountingStorageType=accounting_storage/none',
  'JobAcctGatherType=jobacct_gather/none',
  'JobCompType=jobcomp/none',
  'TaskPlugin=task/none',
  'SwitchType=switch/none',
  'MpiDefault=none',
  'SlurmctldDebug=error',
  'SlurmdDebug=error',
  // By process group; linuxproc reads all of /proc at each end, and cgroups need root.
  'ProctrackType=proctrack/pgid',
  // A machine with fewer cores than it emulates answers late; the default of 10 s would then mark nodes as
  // down.
  'MessageTimeout=60',
];

const SCHEDULING = [
  'SelectType=select/cons_tres',
  'SelectTypeParameters=CR_CPU',
  // First in, first out, without sorting: the guide's choice where most jobs are short.
  'SchedulerType=sched/builtin',
  'PriorityType=priority/basic',
  // defer: one pass over the queue rather than one for each submission. The guide's other example figures
  // (batch_sched_delay=20, sched_min_interval=2000000, sched_max_job_start=200) are for sustained submissions
  // by many users: here they would hold the jobs back for 20 s. So there is no delay, and one pass may start
  // the whole array.
  `SchedulerParameters=batch_sched_delay=0,defer,default_queue_depth=${SLURM_ARRAY_LIMIT}`,
  // The first index that is not allowed.
  `MaxArraySize=${SLURM_ARRAY_LIMIT + 1}`,
  // Records of ended jobs count too; the default is 10,000.
  `MaxJobCount=${SLURM_ARRAY_LIMIT * 10}`,
];

function nodes({ host, firstPort }: SlurmPlace): readonly string[] {
  const first = firstPort + CONTROLLER_PORTS;
  const ports = `Port=[${first}-${first + SLURM_NODES - 1}]`;
  return [
    // The processors below are believed, although this machine has fewer.
    'SlurmdParameters=config_overrides',
    'ReturnToService=2',
    // slurmctld reaches each node itself; the default of 50 would relay messages to some of them through
    // others.
    `TreeWidth=${SLURM_NODES}`,
    `NodeName=node[1-${SLURM_NODES}] NodeHostname=${host} NodeAddr=127.0.0.1 ${ports} CPUs=${CPUS_PER_NODE}`,
    'PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP',
  ];
}
