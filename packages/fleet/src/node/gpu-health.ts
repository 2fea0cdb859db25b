import { apiError, type GpuDevice, type GpuFault, type NodeInventory } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { NodeRecord } from '../records.ts';
import { commitNode, recordNode, type NodeChange } from './commit-node.ts';
import { afterReading, isStuck, type GpuMemory } from './gpu-cleaning.ts';
import {
  afterFinding,
  afterRelease,
  afterTime,
  gradeFaults,
  takesOut,
  type GpuCondition,
  type GpuFinding,
} from './gpu-condition.ts';

type Conditions = Readonly<Record<string, GpuCondition>>;

/** What is remembered of a GPU's readings; after a restart of the gateway it is learnt anew. */
interface Watch {
  /** Readings in a row that were too hot. */
  readonly hotReadings: number;
  readonly heat?: GpuFault;
  readonly memory?: GpuMemory;
  /** Memory that does not come back. */
  readonly stuck?: GpuFault;
}

export interface GpuReading {
  readonly deviceId: string;
  readonly temperatureC?: number | undefined;
  readonly memoryUsedMib?: number | bigint | undefined;
}

/** So much cooler than the limit, heat is over, °C. */
const COOLER_C = 10;

/** Takes GPUs out of use and back, by what their nodes report. Each change is stored with its cause. */
export class GpuHealth {
  readonly #core: FleetCore;
  readonly #watches = new Map<string, Map<string, Watch>>();

  constructor(core: FleetCore) {
    this.#core = core;
  }

  /**
   * The node with the conditions that follow from what it shows, and the events of their changes. `expected`
   * are GPUs that should be there.
   */
  examine(
    node: NodeRecord,
    inventory: NodeInventory,
    expected: readonly GpuDevice[],
  ): { readonly node: NodeRecord; readonly changes: readonly NodeChange[] } {
    const shown = new Map(inventory.gpus.map((gpu) => [gpu.id, gpu]));
    const known = new Map([...expected.map((gpu) => [gpu.id, gpu] as const), ...shown]);
    const conditions: Record<string, GpuCondition> = {};
    const changes: NodeChange[] = [];
    for (const [id, gpu] of known) {
      const before = node.gpuConditions?.[id];
      const faults = this.#faultsOf(node.id, shown.get(id));
      const finding = { device: shown.get(id), known: gpu, faults, certain: isCertain(inventory, gpu) };
      const after = afterFinding(before, finding, this.#core.options.gpus, this.#core.clock.nowMs());
      if (after) conditions[id] = after;
      changes.push(...this.#changes(node, gpu, before, after), ...this.#harmless(node, finding));
    }
    return { node: { ...withConditions(node, conditions), inventory }, changes };
  }

  /** GPUs that a running agent must go on showing; MIG slices come and go as they are configured. */
  expected({ inventory, gpuConditions = {} }: NodeRecord): readonly GpuDevice[] {
    const missing = Object.values(gpuConditions).flatMap(({ device }) => device ?? []);
    return [...inventory.gpus, ...missing].filter((gpu) => gpu.parentId === undefined);
  }

  /** What a heartbeat says of its GPUs: heat that stays, and memory that is not given back. */
  readings(nodeId: string, readings: readonly GpuReading[]): void {
    const node = this.#core.nodes.node(nodeId);
    if (!node || readings.length === 0) return;
    const held = new Set(this.#core.workloads.liveOn(nodeId).flatMap(({ devices }) => devices));
    const simulated = new Set(node.inventory.gpus.flatMap((gpu) => (gpu.simulated ? gpu.id : [])));
    const before = this.#watches.get(nodeId);
    // What one heartbeat leaves out is as it was.
    const after = new Map(before);
    for (const reading of readings) {
      const id = reading.deviceId;
      const watch = this.#watched(before?.get(id), reading, {
        held: held.has(id),
        simulated: simulated.has(id),
      });
      if (watch) after.set(id, watch);
      else after.delete(id);
    }
    this.#watches.set(nodeId, after);
    this.#setCleaning(node, after);
    const isNew = (id: string): boolean =>
      before?.get(id)?.heat !== after.get(id)?.heat || before?.get(id)?.stuck !== after.get(id)?.stuck;
    if ([...(before?.keys() ?? []), ...after.keys()].some(isNew)) this.#examineAgain(node);
  }

  #watched(
    before: Watch | undefined,
    { temperatureC, memoryUsedMib }: GpuReading,
    { held, simulated }: { readonly held: boolean; readonly simulated: boolean },
  ): Watch | undefined {
    const { maxTemperatureC, hotReadings: limit } = this.#core.options.gpus;
    const nowMs = this.#core.clock.monotonicMs();
    const threshold = maxTemperatureC - (before?.heat ? COOLER_C : 0);
    const isHot = temperatureC === undefined ? before?.heat !== undefined : temperatureC > threshold;
    const hotReadings = isHot ? (before?.hotReadings ?? 0) + 1 : 0;
    const becomesHot = hotReadings >= limit && temperatureC !== undefined;
    const heat = isHot ? (before?.heat ?? (becomesHot ? heatFault(temperatureC) : undefined)) : undefined;
    // The memory of a simulated GPU is a wave that knows nothing of work.
    const memory =
      memoryUsedMib === undefined || simulated
        ? before?.memory
        : afterReading(before?.memory, { usedMib: Number(memoryUsedMib), held, nowMs });
    const stuck = memory && isStuck(memory, nowMs) ? (before?.stuck ?? stuckFault()) : undefined;
    if (hotReadings === 0 && !memory) return undefined;
    return { hotReadings, ...(heat && { heat }), ...(memory && { memory }), ...(stuck && { stuck }) };
  }

  #setCleaning(node: NodeRecord, watches: ReadonlyMap<string, Watch>): void {
    const { nodes } = this.#core;
    const before = nodes.cleaning(node.id);
    const after = new Set<string>();
    for (const [id, { memory }] of watches) if (memory?.cleaningSinceMs !== undefined) after.add(id);
    if (before.size === after.size && before.isSubsetOf(after)) return;
    nodes.setCleaning(node.id, after);
    const tell = (id: string, change: string, says: string): void =>
      recordNode(this.#core, node, {
        ...{ type: `gpu.${change}`, cause: 'health', facts: { gpu: id } },
        message: `GPU ${indexOf(node, id)} of ${node.name} ${says}.`,
      });
    for (const id of after.difference(before))
      tell(id, 'cleaning', 'has no work, and its memory is not back yet');
    for (const id of before.difference(after)) tell(id, 'cleaned', 'is no longer waited for');
    this.#core.capacityChanged(node.id);
  }

  /** Probations that are over. */
  tick(node: NodeRecord): void {
    if (!node.gpuConditions) return;
    const nowMs = this.#core.clock.nowMs();
    const over = Object.entries(node.gpuConditions).filter(([, before]) => !afterTime(before, nowMs));
    if (over.length === 0) return;
    const changes = over.map(([id]) => ({
      type: 'gpu.healthy',
      cause: 'health' as const,
      message: `GPU ${indexOf(node, id)} of ${node.name} has passed its probation and takes work again.`,
      facts: { gpu: id },
    }));
    const ended = new Set(over.map(([id]) => id));
    commitNode(this.#core, withConditions(node, without(node.gpuConditions, ended)), ...changes);
  }

  /** By id or index. @throws CodedError `not-found`, `conflict`. */
  release(node: NodeRecord, reference: string): NodeRecord {
    const gpus = this.expected(node);
    const gpu =
      gpus.find(({ id }) => id === reference) ?? gpus.find(({ index }) => String(index) === reference);
    if (!gpu)
      throw apiError(
        'not-found',
        `${node.name} has no GPU "${reference}"; see clawbernetes node info ${node.name}`,
      );
    const before = node.gpuConditions?.[gpu.id];
    const after = afterRelease(before, this.#core.clock.nowMs());
    if (after === 'refused')
      throw apiError(
        'conflict',
        `GPU ${gpu.index} of ${node.name} is not quarantined; there is nothing to release.`,
      );
    const rest = without(node.gpuConditions ?? {}, new Set([gpu.id]));
    const forgotten = before?.state === 'missing' ? ' and is no longer expected' : '';
    return commitNode(this.#core, withConditions(node, after ? { ...rest, [gpu.id]: after } : rest), {
      type: 'gpu.released',
      cause: 'user',
      message: `GPU ${gpu.index} of ${node.name} was released${forgotten}: ${before?.message ?? ''}`,
      facts: { gpu: gpu.id },
    });
  }

  #examineAgain(node: NodeRecord): void {
    const { node: next, changes } = this.examine(node, node.inventory, this.expected(node));
    if (changes.length > 0) commitNode(this.#core, next, ...changes);
  }

  #faultsOf(nodeId: string, gpu: GpuDevice | undefined): readonly GpuFault[] {
    if (!gpu) return [];
    const { state, reason = 'its node calls it unhealthy' } = gpu.health;
    const own = gpu.faults ?? [];
    const { heat, stuck } = this.#watches.get(nodeId)?.get(gpu.id) ?? {};
    const derived: GpuFault = { key: 'health', kind: 'driver', action: 'reset-gpu', message: reason };
    return [
      ...own,
      ...(heat ? [heat] : []),
      ...(stuck ? [stuck] : []),
      ...(state === 'unhealthy' && own.length === 0 ? [derived] : []),
    ];
  }

  #changes(
    node: NodeRecord,
    gpu: GpuDevice,
    before: GpuCondition | undefined,
    after: GpuCondition | undefined,
  ): readonly NodeChange[] {
    if (before?.state === after?.state && before?.message === after?.message) return [];
    const name = `GPU ${gpu.index} of ${node.name}`;
    const facts = { gpu: gpu.id, ...(after && { kind: after.kind, action: after.action }) };
    const change = (type: string, message: string): readonly NodeChange[] => [
      { type: `gpu.${type}`, cause: 'health', message, facts },
    ];
    switch (after?.state) {
      case undefined:
        return change('healthy', `${name} is free of the faults for which it was released.`);
      case 'released':
        return [];
      case 'probation':
        return change(
          'probation',
          `${name} shows no fault any more; it takes work again after its probation.`,
        );
      case 'missing':
      case 'quarantined':
        return change(
          after.state,
          `${name} is ${after.state}: ${sentence(after.message)} Next: ${ADVICE[after.action]}.`,
        );
    }
  }

  /** Faults that leave the GPU in use are told once. */
  #harmless(node: NodeRecord, { known, faults }: GpuFinding): readonly NodeChange[] {
    const before = node.inventory.gpus.find(({ id }) => id === known.id)?.faults ?? [];
    const told = new Set(before.map(({ key }) => key));
    const fresh = gradeFaults(faults, this.#core.options.gpus).filter(
      (fault) => !takesOut(fault) && !told.has(fault.key),
    );
    return fresh.map(({ kind, action, message }) => ({
      type: 'gpu.fault',
      cause: 'health',
      message: `GPU ${known.index} of ${node.name}: ${sentence(message)} Next: ${ADVICE[action]}.`,
      facts: { gpu: known.id, kind, action },
    }));
  }
}

export const ADVICE: Readonly<Record<GpuFault['action'], string>> = {
  ignore: 'nothing needs to be done',
  'restart-app': 'restart the program',
  'reset-gpu': 'reset the GPU',
  'drain-reboot': 'drain the node and reboot it',
  replace: 'have the hardware looked at',
};

function isCertain({ probes }: NodeInventory, { vendor }: GpuDevice): boolean {
  return !probes.some(
    ({ name, outcome }) => name.startsWith(vendor) && (outcome === 'failed' || outcome === 'timed-out'),
  );
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function heatFault(temperatureC: number): GpuFault {
  const message = `It has ${Math.round(temperatureC)} °C and stays hot.`;
  return { key: 'heat', kind: 'thermal', action: 'reset-gpu', message };
}

function stuckFault(): GpuFault {
  const message =
    'Its memory is still in use long after its work ended: something outside the fleet holds it.';
  return { key: 'memory', kind: 'driver', action: 'reset-gpu', message };
}

function indexOf(node: NodeRecord, id: string): number | string {
  return node.inventory.gpus.find((gpu) => gpu.id === id)?.index ?? id;
}

function without(conditions: Conditions, ids: ReadonlySet<string>): Conditions {
  return Object.fromEntries(Object.entries(conditions).filter(([id]) => !ids.has(id)));
}

/** Absent rather than empty, so that what is in order costs nothing. */
function withConditions(node: NodeRecord, conditions: Conditions): NodeRecord {
  const { gpuConditions: _, ...rest } = node;
  return Object.keys(conditions).length === 0 ? rest : { ...rest, gpuConditions: conditions };
}
