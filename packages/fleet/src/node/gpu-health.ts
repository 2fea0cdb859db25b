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
import { deviceOf, gpuName, toRelease } from './instance-condition.ts';

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
    const named = { ...node, inventory: { ...inventory, gpus: [...known.values()] } };
    const conditions: Record<string, GpuCondition> = {};
    const changes: NodeChange[] = [];
    for (const [id, gpu] of known) {
      const before = node.gpuConditions?.[id];
      const finding = this.#findingOf(node.id, inventory, gpu, shown);
      const after = afterFinding(before, finding, this.#core.options.gpus, this.#core.clock.nowMs());
      if (after) conditions[id] = after;
      changes.push(...this.#changes(named, gpu, before, after), ...this.#harmless(node, named, finding));
    }
    return { node: { ...withConditions(node, conditions), inventory }, changes };
  }

  /**
   * GPUs that a running agent must go on showing. MIG instances come and go as they are configured, but for
   * those that work holds.
   */
  expected(node: NodeRecord): readonly GpuDevice[] {
    const held = this.#heldOn(node.id);
    return devicesOf(node).filter((gpu) => gpu.parentId === undefined || held.has(gpu.id));
  }

  #heldOn(nodeId: string): ReadonlySet<string> {
    return new Set(this.#core.workloads.liveOn(nodeId).flatMap(({ devices }) => devices));
  }

  /** What a heartbeat says of its GPUs: heat that stays, and memory that is not given back. */
  readings(nodeId: string, readings: readonly GpuReading[]): void {
    const node = this.#core.nodes.node(nodeId);
    if (!node || readings.length === 0) return;
    const held = this.#heldOn(nodeId);
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
        message: `${nameOf(node, id)} of ${node.name} ${says}.`,
      });
    for (const id of after.difference(before))
      tell(id, 'cleaning', 'has no work, and its memory is not back yet');
    for (const id of before.difference(after)) tell(id, 'cleaned', 'is no longer waited for');
    this.#core.capacityChanged(node.id);
  }

  /** Probations that are over, and MIG instances that are gone and were missed only by work that ended. */
  tick(node: NodeRecord): void {
    if (!node.gpuConditions) return;
    const nowMs = this.#core.clock.nowMs();
    const all = Object.entries(node.gpuConditions);
    const over = all.filter(([, before]) => !afterTime(before, nowMs));
    const held = this.#heldOn(node.id);
    const unmissed = all.filter(([id, { device }]) => device?.parentId !== undefined && !held.has(id));
    if (over.length + unmissed.length === 0) return;
    const tell = (type: string, id: string, says: string): NodeChange => ({
      ...{ type, cause: 'health', facts: { gpu: id } },
      message: `${nameOf(node, id)} of ${node.name} ${says}.`,
    });
    const changes = [
      ...over.map(([id]) => tell('gpu.healthy', id, 'has passed its probation and takes work again')),
      ...unmissed.map(([id]) => tell('gpu.forgotten', id, 'is not expected any more: no work holds it')),
    ];
    const ended = new Set([...over, ...unmissed].map(([id]) => id));
    commitNode(this.#core, withConditions(node, without(node.gpuConditions, ended)), ...changes);
  }

  /** By id, a whole one also by its index. @throws CodedError `not-found`, `conflict`. */
  release(node: NodeRecord, reference: string): NodeRecord {
    const gpus = devicesOf(node);
    const gpu =
      gpus.find(({ id }) => id === reference) ??
      gpus.find(({ index, parentId }) => parentId === undefined && String(index) === reference);
    if (!gpu)
      throw apiError(
        'not-found',
        `${node.name} has no GPU "${reference}"; see clawbernetes node info ${node.name}`,
      );
    const before = node.gpuConditions?.[gpu.id];
    const after = afterRelease(before, this.#core.clock.nowMs());
    const name = `${gpuName(node, gpu)} of ${node.name}`;
    if (after === 'refused') {
      const whole = toRelease(node, gpu);
      throw apiError(
        'conflict',
        whole === gpu.id
          ? `${name} is not quarantined; there is nothing to release.`
          : `${name} is out of use with the GPU of which it is a part. Release that: ` +
              `clawbernetes gpu release ${node.name} ${whole}`,
      );
    }
    const rest = without(node.gpuConditions ?? {}, new Set([gpu.id]));
    const forgotten = before?.state === 'missing' ? ' and is no longer expected' : '';
    return commitNode(this.#core, withConditions(node, after ? { ...rest, [gpu.id]: after } : rest), {
      type: 'gpu.released',
      cause: 'user',
      message: `${name} was released${forgotten}: ${before?.message ?? ''}`,
      facts: { gpu: gpu.id },
    });
  }

  #examineAgain(node: NodeRecord): void {
    const { node: next, changes } = this.examine(node, node.inventory, this.expected(node));
    if (changes.length > 0) commitNode(this.#core, next, ...changes);
  }

  #findingOf(
    nodeId: string,
    inventory: NodeInventory,
    gpu: GpuDevice,
    shown: ReadonlyMap<string, GpuDevice>,
  ): GpuFinding {
    const device = shown.get(gpu.id);
    const whole = gpu.parentId === undefined ? undefined : shown.get(gpu.parentId);
    return {
      ...{ device, known: gpu, certain: isCertain(inventory, gpu) },
      faults: this.#faultsOf(nodeId, device && whole ? withoutFaultsOf(whole, device) : device),
      ...(gpu.parentId === undefined ? {} : { isGpuShown: whole !== undefined }),
    };
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
    const name = `${gpuName(node, gpu)} of ${node.name}`;
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
  #harmless(node: NodeRecord, named: NodeRecord, finding: GpuFinding): readonly NodeChange[] {
    const { known: gpu, faults } = finding;
    const before = node.inventory.gpus.find(({ id }) => id === gpu.id)?.faults ?? [];
    const told = new Set(before.map(({ key }) => key));
    const fresh = gradeFaults(faults, this.#core.options.gpus).filter(
      (fault) => !takesOut(fault) && !told.has(fault.key),
    );
    return fresh.map(({ kind, action, message }) => ({
      type: 'gpu.fault',
      cause: 'health',
      message: `${gpuName(named, gpu)} of ${node.name}: ${sentence(message)} Next: ${ADVICE[action]}.`,
      facts: { gpu: gpu.id, kind, action },
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

function nameOf(node: NodeRecord, id: string): string {
  const gpu = deviceOf(node, id);
  return gpu ? gpuName(node, gpu) : `GPU ${id}`;
}

/** All that it shows, and those that are missing. */
function devicesOf({ inventory, gpuConditions = {} }: NodeRecord): readonly GpuDevice[] {
  return [...inventory.gpus, ...Object.values(gpuConditions).flatMap(({ device }) => device ?? [])];
}

/** A MIG instance with what is wrong with it alone: agents give it the faults of its GPU as well. */
function withoutFaultsOf(whole: GpuDevice, { faults = [], health, ...instance }: GpuDevice): GpuDevice {
  const keys = new Set(whole.faults?.map(({ key }) => key));
  return {
    ...instance,
    faults: faults.filter(({ key }) => !keys.has(key)),
    health: whole.health.state === 'healthy' ? health : { state: 'healthy' },
  };
}

function without(conditions: Conditions, ids: ReadonlySet<string>): Conditions {
  return Object.fromEntries(Object.entries(conditions).filter(([id]) => !ids.has(id)));
}

/** Absent rather than empty, so that what is in order costs nothing. */
function withConditions(node: NodeRecord, conditions: Conditions): NodeRecord {
  const { gpuConditions: _, ...rest } = node;
  return Object.keys(conditions).length === 0 ? rest : { ...rest, gpuConditions: conditions };
}
