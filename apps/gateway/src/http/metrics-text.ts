import { sliced, type FleetFigures, type Sliced } from '@clawbernetes/fleet';
import type { Gateway } from '../gateway.ts';
import type { SettlementFigures, SettlementSource } from '../settlement/settlement-keeper.ts';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

type Io = { readonly signal?: AbortSignal };
type Metrics = Gateway['metrics'];

/** Of a node whose readings are written, in looks: some µs for each GPU. */
const LOOKS_OF_READINGS = 24;
/** Written at once as bytes, which are not copied again for long; nodes. */
const NODES_PER_CHUNK = 64;

/**
 * The fleet in the Prometheus text format, version 0.0.4, made in pieces. Counts are of one moment, readings
 * of GPUs the newest of each node. @throws CodedError as `FleetSurvey`.
 */
export function metricsText(
  { fleet, metrics }: Gateway,
  settlement: Pick<SettlementSource, 'figures'> | undefined,
  { signal }: Io = {},
): Promise<Buffer> {
  const ask = { namespace: 'default', ...(signal ? { signal } : {}) };
  return fleet.questions.survey.ask((figures) => telling(figures, metrics, settlement), ask);
}

function* telling(
  figures: FleetFigures,
  metrics: Metrics,
  settlement: Pick<SettlementSource, 'figures'> | undefined,
): Sliced<Buffer> {
  const gpus = Array.from(figures.gpuMilli, ([state, milli]) => [state, milli / 1000] as const);
  const counts = [
    family('clawbernetes_nodes', 'Nodes by connectivity.', byLabel('connectivity', figures.connectivity)),
    family(
      'clawbernetes_gpus',
      'GPUs by state. MIG instances count as the part of a GPU that they are.',
      byLabel('state', gpus),
    ),
    family(
      'clawbernetes_workloads',
      'Workloads by state.',
      byLabel('state', Object.entries(figures.workloads)),
    ),
    family('clawbernetes_events', 'Sequence number of the newest event.', [{ value: figures.eventSequence }]),
    ...(settlement ? ledgerFamilies(settlement.figures()) : []),
  ];
  const utilization = new Family('clawbernetes_gpu_utilization_percent', 'Utilisation of a GPU.');
  const memory = new Family('clawbernetes_gpu_memory_used_mib', 'Memory in use on a GPU.');
  yield* sliced(figures.nodes, LOOKS_OF_READINGS, ({ id, name }) => {
    for (const { deviceId, utilizationPercent, memoryUsedMib } of metrics.latest(id)?.gpus ?? []) {
      const labels = { node: name, gpu: deviceId };
      utilization.add(...reading(labels, utilizationPercent));
      memory.add(...reading(labels, memoryUsedMib));
    }
    utilization.nodeEnds();
    memory.nodeEnds();
  });
  return Buffer.concat([Buffer.from(counts.join('')), ...utilization.bytes(), ...memory.bytes()]);
}

/** One whose samples are too many to be written at once. */
class Family {
  readonly #chunks: Buffer[] = [];
  #text: string;
  #nodes = 0;
  readonly #name: string;

  constructor(name: string, help: string) {
    this.#name = name;
    this.#text = heading(name, help);
  }

  add(...samples: readonly Sample[]): void {
    for (const sample of samples) this.#text += line(this.#name, sample);
  }

  nodeEnds(): void {
    this.#nodes += 1;
    if (this.#nodes % NODES_PER_CHUNK === 0) this.#cut();
  }

  bytes(): readonly Buffer[] {
    this.#cut();
    return this.#chunks;
  }

  #cut(): void {
    this.#chunks.push(Buffer.from(this.#text));
    this.#text = '';
  }
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

/** A device that does not tell has no sample, rather than one of zero. */
function reading(labels: Sample['labels'], value: number | bigint | undefined): readonly Sample[] {
  return value === undefined || labels === undefined ? [] : [{ labels, value: Number(value) }];
}

function byLabel(label: string, counts: Iterable<readonly [string, number]>): readonly Sample[] {
  return Array.from(counts, ([state, value]) => ({ labels: { [label]: state }, value }));
}

function family(name: string, help: string, samples: readonly Sample[]): string {
  return heading(name, help) + samples.map((sample) => line(name, sample)).join('');
}

function heading(name: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n`;
}

function line(name: string, { labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
}

function escape(text: string): string {
  return text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
}
