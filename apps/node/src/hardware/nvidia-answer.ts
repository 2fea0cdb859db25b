import { countGpus, type GpuDetectionDeps, type ProbeRecord } from './gpu-detection.ts';
import { nvidiaFailure, type NvidiaFailure } from './nvidia-failure.ts';
import {
  NVIDIA_GPU_FIELDS,
  nvidiaQueryArgs,
  parseNvidiaGpus,
  unknownQueryField,
  type NvidiaGpu,
} from './nvidia-query.ts';
import { PCI_VENDORS } from './pci-cards.ts';
import type { ProbeResult } from './probe-runner.ts';

/** The GPUs that nvidia-smi lists, or why it lists none. */
export interface NvidiaAnswer {
  readonly gpus: readonly NvidiaGpu[];
  readonly probe: Pick<ProbeRecord, 'name' | 'outcome' | 'detail'>;
}

export async function queryNvidiaGpus(deps: GpuDetectionDeps): Promise<NvidiaAnswer> {
  const cards = deps.cards.filter((card) => card.vendorId === PCI_VENDORS.nvidia).map((card) => card.address);
  const first = await query(deps);
  if (first.result.outcome !== 'finished') return unanswered(first.result, cards);
  if (first.gpus.length > 0) return found(first.gpus, first.failure);
  const lost = first.failure?.pciAddress;
  const others = cards.filter((address) => address !== lost);
  if (lost !== undefined && others.length > 0) {
    // One dead GPU makes some drivers refuse the whole query; the others still work.
    const rest = await query(deps, others);
    if (rest.gpus.length > 0) return found(rest.gpus, first.failure);
  }
  return failed(first.failure, first.result, cards);
}

interface QueryAnswer {
  readonly result: ProbeResult;
  readonly gpus: readonly NvidiaGpu[];
  readonly failure: NvidiaFailure | undefined;
}

/**
 * The query, without the fields that this driver does not know; `addresses`, if given, limit it to these
 * GPUs.
 */
async function query(deps: GpuDetectionDeps, addresses: readonly string[] = []): Promise<QueryAnswer> {
  let fields: readonly string[] = NVIDIA_GPU_FIELDS;
  for (;;) {
    const only = addresses.length > 0 ? ['-i', addresses.join(',')] : [];
    const result = await deps.probes.run({
      program: 'nvidia-smi',
      args: [...only, ...nvidiaQueryArgs(fields)],
    });
    if (result.outcome !== 'finished') return { result, gpus: [], failure: undefined };
    const text = `${result.stdout}\n${result.stderr}`;
    const unknown = unknownQueryField(text);
    if (unknown === undefined || !fields.includes(unknown)) {
      return { result, gpus: parseNvidiaGpus(result.stdout, fields), failure: nvidiaFailure(text) };
    }
    fields = fields.filter((field) => field !== unknown);
  }
}

function found(gpus: readonly NvidiaGpu[], failure: NvidiaFailure | undefined): NvidiaAnswer {
  const detail = failure ? `${countGpus(gpus.length)}. ${failure.message}` : countGpus(gpus.length);
  return { gpus, probe: { name: 'nvidia', outcome: 'found', detail } };
}

function unanswered(
  result: Exclude<ProbeResult, { outcome: 'finished' }>,
  cards: readonly string[],
): NvidiaAnswer {
  const missing = result.outcome === 'absent' && cards.length > 0;
  const detail = missing
    ? `There is an NVIDIA card (${cards.join(', ')}) and no nvidia-smi: install the NVIDIA driver.`
    : result.message;
  return { gpus: [], probe: { name: 'nvidia', outcome: missing ? 'failed' : result.outcome, detail } };
}

function failed(
  failure: NvidiaFailure | undefined,
  result: Extract<ProbeResult, { outcome: 'finished' }>,
  cards: readonly string[],
): NvidiaAnswer {
  const absent = failure?.code === 'no-devices' && cards.length === 0;
  const firstLine = `${result.stderr}\n${result.stdout}`.trim().split('\n', 1)[0]?.slice(0, 200) ?? '';
  const detail =
    failure?.message ?? `nvidia-smi ended with ${result.exitCode} and no GPU: ${firstLine || 'no output'}`;
  return { gpus: [], probe: { name: 'nvidia', outcome: absent ? 'absent' : 'failed', detail } };
}
