import type { NodeView } from '@clawbernetes/protocol';
import type { Gateway } from '../gateway.ts';
import type { SettlementFigures, SettlementSource } from '../settlement/settlement-keeper.ts';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The fleet in the Prometheus text format, version 0.0.4. */
export function metricsText(
  { fleet, metrics }: Gateway,
  settlement?: Pick<SettlementSource, 'figures'>,
): string {
  const nodes = fleet.nodes().map((node) => fleet.nodeView(node));
  const states = Map.groupBy(fleet.workloads('default'), (workload) => workload.state);
  const gpus = nodes.flatMap((node) =>
    (metrics.latest(node.id)?.gpus ?? []).map((gpu) => ({
      labels: { node: node.name, gpu: gpu.deviceId },
      gpu,
    })),
  );
  return [
    family(
      'clawbernetes_nodes',
      'Nodes by connectivity.',
      countBy(nodes, (node) => ({ connectivity: node.connectivity })),
    ),
    family(
      'clawbernetes_gpus',
      'GPUs by state. MIG instances count as the part of a GPU that they are.',
      gpusByState(nodes),
    ),
    family(
      'clawbernetes_workloads',
      'Workloads by state.',
      Array.from(states, ([state, all]) => ({ labels: { state }, value: all.length })),
    ),
    family('clawbernetes_events', 'Sequence number of the newest event.', [{ value: fleet.eventSequence }]),
    family(
      'clawbernetes_gpu_utilization_percent',
      'Utilisation of a GPU.',
      gpus.flatMap(({ labels, gpu }) => reading(labels, gpu.utilizationPercent)),
    ),
    family(
      'clawbernetes_gpu_memory_used_mib',
      'Memory in use on a GPU.',
      gpus.flatMap(({ labels, gpu }) => reading(labels, gpu.memoryUsedMib)),
    ),
    ...(settlement ? ledgerFamilies(settlement.figures()) : []),
  ].join('');
}

function ledgerFamilies(figures: SettlementFigures | undefined): readonly string[] {
  const isOpen = family('clawbernetes_ledger_open', 'Whether the ledger can be used.', [
    { value: figures ? 1 : 0 },
  ]);
  if (!figures) return [isOpen];
  return [
    isOpen,
    family('clawbernetes_ledger_frames', 'Frames of the journal.', [{ value: figures.frames }]),
    family('clawbernetes_ledger_accounts', 'Accounts of the ledger.', [{ value: figures.accounts }]),
    family('clawbernetes_ledger_history_lag_movements', 'Movements that wait for the history.', [
      { value: figures.lagMovements },
    ]),
  ];
}

/** A GPU that MIG cuts up counts by its instances. */
function gpusByState(nodes: readonly NodeView[]): readonly Sample[] {
  const milli = new Map<string, number>();
  for (const { gpus } of nodes) {
    const cut = new Set(gpus.flatMap(({ parentId }) => parentId ?? []));
    for (const { id, migEnabled, migMilli = 1000, state } of gpus)
      if (migEnabled !== true && !cut.has(id)) milli.set(state, (milli.get(state) ?? 0) + migMilli);
  }
  return Array.from(milli, ([state, sum]) => ({ labels: { state }, value: sum / 1000 }));
}

/** A device that does not tell has no sample, rather than one of zero. */
function reading(labels: Sample['labels'], value: number | bigint | undefined): readonly Sample[] {
  return value === undefined || labels === undefined ? [] : [{ labels, value: Number(value) }];
}

function countBy<T>(
  items: readonly T[],
  labelsOf: (item: T) => Readonly<Record<string, string>>,
): readonly Sample[] {
  const groups = Map.groupBy(items, (item) => JSON.stringify(labelsOf(item)));
  return Array.from(groups.values(), (group) => ({
    labels: group[0] === undefined ? {} : labelsOf(group[0]),
    value: group.length,
  }));
}

function family(name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

function escape(text: string): string {
  return text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
}
