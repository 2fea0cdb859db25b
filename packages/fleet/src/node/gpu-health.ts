import { apiError, type GpuDevice, type GpuFault, type NodeInventory } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { NodeRecord } from '../records.ts';
import { commitNode, type NodeChange } from './commit-node.ts';
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

/** Readings of one GPU in a row that were too hot. */
interface Heat {
  readonly readings: number;
  readonly fault?: GpuFault;
}

export interface GpuReading {
  readonly deviceId: string;
  readonly temperatureC?: number | undefined;
}

/** So much cooler than the limit, heat is over, °C. */
const COOLER_C = 10;

/** Takes GPUs out of use and back, by what their nodes report. Each change is stored with its cause. */
export class GpuHealth {
  readonly #core: FleetCore;
  readonly #heat = new Map<string, Map<string, Heat>>();

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

  /** Temperatures of a heartbeat. */
  readings(nodeId: string, readings: readonly GpuReading[]): void {
    const { maxTemperatureC, hotReadings } = this.#core.options.gpus;
    let changed = false;
    for (const { deviceId, temperatureC } of readings) {
      if (temperatureC === undefined) continue;
      const before = this.#heat.get(nodeId)?.get(deviceId);
      if (!before && temperatureC <= maxTemperatureC) continue;
      const cool = temperatureC <= maxTemperatureC - (before?.fault ? COOLER_C : 0);
      const hot = { readings: (before?.readings ?? 0) + 1 };
      const fault = before?.fault ?? (hot.readings >= hotReadings ? heatFault(temperatureC) : undefined);
      this.#setHeat(nodeId, deviceId, cool ? undefined : { ...hot, ...(fault && { fault }) });
      changed ||= cool ? before?.fault !== undefined : fault !== before?.fault;
    }
    const node = changed ? this.#core.nodes.node(nodeId) : undefined;
    if (node) this.#examineAgain(node);
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
    const heat = this.#heat.get(nodeId)?.get(gpu.id)?.fault;
    const derived: GpuFault = { key: 'health', kind: 'driver', action: 'reset-gpu', message: reason };
    return [...own, ...(heat ? [heat] : []), ...(state === 'unhealthy' && own.length === 0 ? [derived] : [])];
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

  #setHeat(nodeId: string, deviceId: string, heat: Heat | undefined): void {
    const ofNode = this.#heat.get(nodeId) ?? new Map<string, Heat>();
    if (heat) ofNode.set(deviceId, heat);
    else ofNode.delete(deviceId);
    if (ofNode.size > 0) this.#heat.set(nodeId, ofNode);
    else this.#heat.delete(nodeId);
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
